"""The conductor and its cycles over scripted ports."""
