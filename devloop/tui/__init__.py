"""The full-screen terminal: a Textual app over the same event log, reducer and words as the headless output."""
