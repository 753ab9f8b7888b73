"""`python -m tests.reference` writes every generated block of the documents anew."""

from tests.reference.pages import write

write()
