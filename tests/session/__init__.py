"""What the commands are put together from."""
