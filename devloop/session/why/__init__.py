"""`devloop why`: what is asked about, what is read for it, and how the answer is told."""
