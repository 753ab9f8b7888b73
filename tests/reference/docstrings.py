"""What the docstrings of classes, of their fields and of their members say."""

import ast
import inspect
import re
from collections.abc import Iterator

_FIX = " Fix: "


def of_class(cls: type) -> str:
    """A class's own docstring in one line."""
    return _one_line(cls.__doc__ or "")


class Docstrings(dict[str, str]):
    """By the name of a field or member; one that has none is a mistake."""

    def __init__(self, cls: type) -> None:
        super().__init__()
        self._cls = cls
        for each in reversed(cls.__mro__):
            if each.__module__.partition(".")[0] in {"devloop", "tests"}:
                self.update(_below(each))

    def __missing__(self, name: str) -> str:
        raise LookupError(f"{self._cls.__name__}.{name} has no docstring below it")


def parted(text: str) -> tuple[str, str]:
    """What something means, and what mends it: what comes after `Fix:`, as a sentence of its own."""
    meaning, _, fix = text.partition(_FIX)
    return meaning, fix[:1].upper() + fix[1:]


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\.) (?=[A-Z`])", text, maxsplit=1)[0]


def _below(cls: type) -> Iterator[tuple[str, str]]:
    (tree,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    for statement, after in zip(tree.body, tree.body[1:], strict=False):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
