"""An OCI registry on loopback, over a folder."""
