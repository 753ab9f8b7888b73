"""The only code that touches the world: files, processes, engine, registry, cluster."""
