"""`devloop demo`: a sandbox, an app in it, and an ordinary session on both."""
