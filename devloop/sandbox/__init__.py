"""A registry, an API server and two nodes small enough to run inside devloop: for trying it and for its tests."""
