"""`devloop doctor`: one module for each stretch of the way from the editor to the Pod."""
