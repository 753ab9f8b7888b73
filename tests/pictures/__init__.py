"""The pictures of the documents, which say what the program says: `python -m tests.pictures` makes them."""
