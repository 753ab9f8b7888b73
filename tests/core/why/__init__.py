"""`devloop why`: from facts to causes, without a cluster."""
