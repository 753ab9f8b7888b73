"""The reference pages of `docs/`, made of the program itself: `make reference` writes them anew.

A page is written by hand around blocks between `<!-- generated: NAME -->` and `<!-- end -->`; a module here makes the
blocks of one page. What they say has its one place in the code: a docstring, the help of a command, a model.
"""
