"""The full-screen terminal: fed from event lists and recorded sessions, without cluster, engine or terminal."""
