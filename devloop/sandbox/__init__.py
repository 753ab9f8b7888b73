"""A small stand-in for a cluster, for trying devloop and for its tests: it speaks Kubernetes' protocol and is none."""
