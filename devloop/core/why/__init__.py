"""Why Kubernetes runs an old image: from recorded facts to causes. Pure; the facts are gathered elsewhere."""
