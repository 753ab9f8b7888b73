"""All that is wrong with the tables of a configuration, in one go.

After an error the value is set aside (a misspelt key is read as the one that was meant) and the rest is checked again,
so that one mistake hides no other and causes no second one.
"""

import copy
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from devloop.core import toml
from devloop.core.config import AllowedPlace, BuildConfig, ClusterConfig, Config, LoopConfig, ServiceConfig, UiConfig
from devloop.core.problems import Finding, Place, closest, dotted, quoted, suggestion
from devloop.core.values import InvalidValueError

_TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Config,
    ("cluster",): ClusterConfig,
    ("cluster", "allow", "*"): AllowedPlace,
    ("services", "*"): ServiceConfig,
    ("services", "*", "build"): BuildConfig,
    ("loop",): LoopConfig,
    ("ui",): UiConfig,
}
_FORMS: dict[tuple[str, ...], str] = {
    ("cluster", "allow", "*"): "a context or a table",
    ("services", "*", "build"): "a folder or a table",
}
_IMAGE = ("services", "*", "image")
_SET_ASIDE: dict[tuple[str, ...], str] = {_IMAGE: "set.aside/image", ("services", "*", "load"): "auto"}
"""Stands for what cannot be read and cannot be left out, so that the rest of its service is checked all the same."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the tables say, and what is wrong with them."""

    config: Config
    """As far as it can be read: a wrong value has its default."""
    findings: tuple[Finding, ...]
    renamed: Mapping[Place, Place]
    """For each misspelt key that was read as another: the place that was meant, and the one that is written."""

    def written(self, finding: Finding) -> Finding:
        """The same, at the place that is written in the file."""
        for meant, misspelt in reversed(list(self.renamed.items())):
            if finding.place[: len(meant)] == meant:
                finding = replace(finding, place=misspelt + finding.place[len(meant) :])
        return finding


def validate(document: dict[str, Any]) -> Checked:
    """The configuration as far as it can be read, and everything that is wrong with it."""
    rest = copy.deepcopy(document)
    findings: list[Finding] = []
    renamed: dict[Place, Place] = {}
    while True:
        try:
            return Checked(Config.model_validate(rest), tuple(findings), renamed)
        except ValidationError as error:
            # Misspelt keys first: what they cause (a required key is missing) is then gone.
            for details in _first(error.errors(include_url=False)):
                findings.append(_finding(details))
                renamed |= _set_aside(rest, details)


def _first(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    return [details for details in errors if details["type"] == "extra_forbidden"] or errors


def _finding(details: ErrorDetails) -> Finding:
    place = tuple(part for part in details["loc"] if part != "[key]")
    if details["type"] == "extra_forbidden":
        return _unknown_key(place)
    if details["type"] == "missing":
        return Finding(place, "is missing", f"add it, for example `{_example(place)}`")
    error = details.get("ctx", {}).get("error")
    if isinstance(error, InvalidValueError):
        return Finding(place, error.message, error.fix)
    if details["loc"][-1] == "[key]":
        return Finding(place, f"`{place[-1]}` is no service name", "use letters, digits, `-`, `_` and `.`")
    return Finding(place, *_wrong(details, place))


def _wrong(details: ErrorDetails, place: Place) -> tuple[str, str]:
    """What is wrong with the value's type or range, and the fix."""
    value, kind = details["input"], _kind(details["input"])
    match details["type"]:
        case "string_type" if isinstance(value, bool | int | float | datetime.date | datetime.time):
            return f"must be a string, not {kind}", "put it in quotes"
        case "string_type":
            return f"must be a string, not {kind}", f"write it like `{_example(place)}`"
        case "tuple_type":
            wanted = "a string or a list" if _takes_one(place) else "a list"
            return f"must be {wanted}, not {kind}", f"write it like `{_example(place)}`"
        case "int_type":
            return f"must be a whole number, not {kind}", f"write it like `{_example(place)}`"
        case "bool_type":
            return f"must be true or false, not {kind}", f"write it like `{_example(place)}`"
        case "greater_than_equal":
            return f"`{value}` is too small", f"write at least {details['ctx']['ge']}"
        case "enum" | "literal_error":
            known = re.findall(r"'([^']*)'", details["ctx"]["expected"])
            fix = suggestion(value, known, "write one of them") if isinstance(value, str) else "write one of them"
            shown = f"`{value}`" if isinstance(value, str) else kind
            return f"{shown} is not {quoted(known, 'or')}", fix
        case "model_type" | "dict_type":
            return f"must be {_FORMS.get(_shape(place), 'a table')}, not {kind}", f"write it like `{_form(place)}`"
    return f"is not valid ({details['msg']})", f"write it like `{_example(place)}`"


def _unknown_key(place: Place) -> Finding:
    *above, key = place
    known = list(_model(tuple(above)).model_fields)
    meant = closest(str(key), known)
    if meant:
        return Finding(place, "unknown key", f"did you mean `{meant}`?")
    inside = _table_inside(tuple(above), str(key))
    if inside:
        return Finding(place, "unknown key here", f"it belongs to `{inside}`: write `{inside}.{key}`")
    return Finding(place, "unknown key", f"the keys here are {quoted(known)}")


def _table_inside(above: Place, key: str) -> str:
    """The name of the table right below `above` that knows the key."""
    shape = _shape(above)
    below = (path for path in _TABLES if len(path) == len(shape) + 1 and path[: len(shape)] == shape)
    return next((path[-1] for path in below if path[-1] != "*" and key in _TABLES[path].model_fields), "")


def _shape(place: Place) -> tuple[str, ...]:
    """A place with `*` for indices and for the names of services, as `_TABLES` has it."""
    named = place[:1] == ("services",)
    return tuple("*" if isinstance(part, int) or (named and at == 1) else part for at, part in enumerate(place))


def _model(place: Place) -> type[BaseModel]:
    return _TABLES[_shape(place)]


def _field(place: Place) -> FieldInfo | None:
    while isinstance(place[-1], int):
        place = place[:-1]
    table = _TABLES.get(_shape(place[:-1]))
    return table.model_fields.get(str(place[-1])) if table else None


def _example(place: Place) -> str:
    """The key with a value that may stand there."""
    field = _field(place)
    key = next(part for part in reversed(place) if isinstance(part, str))
    return f"{key} = {toml.value_text(field.examples[0])}" if field and field.examples else f"{key} = ..."


def _takes_one(place: Place) -> bool:
    """Whether one string stands for a list of one there."""
    field = _field(place)
    return field is not None and isinstance((field.examples or [None])[0], str)


def _form(place: Place) -> str:
    return _example(place) if _shape(place) in _FORMS else f"[{dotted(place)}]"


def _kind(value: Any) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (int, "a whole number"),
        (float, "a number"),
        (str, "a string"),
        (list, "a list"),
        (dict, "a table"),
    )
    return next((name for type_, name in kinds if isinstance(value, type_)), "a date or time")


def _set_aside(document: dict[str, Any], details: ErrorDetails) -> dict[Place, Place]:
    """Take what is wrong out of the tables: a misspelt key gets its name, any other wrong value its default."""
    place = tuple(part for part in details["loc"] if part != "[key]")
    if details["type"] == "extra_forbidden":
        return _rename(document, place)
    if details["type"] == "missing" and _shape(place) != _IMAGE:
        place = place[:-1]
    while isinstance(place[-1], int):
        place = place[:-1]
    table = _at(document, place[:-1])
    if table is not None and _shape(place) in _SET_ASIDE:
        table[str(place[-1])] = _SET_ASIDE[_shape(place)]
    elif table is not None:
        table.pop(str(place[-1]), None)
    return {}


def _rename(document: dict[str, Any], place: Place) -> dict[Place, Place]:
    """Move the value of an unknown key to the one that was meant, if that is free; what was moved where."""
    *above, key = place
    table = _at(document, tuple(above))
    if table is None:
        return {}
    value = table.pop(str(key), None)
    meant = closest(str(key), _model(tuple(above)).model_fields)
    if not meant or meant in table:
        return {}
    table[meant] = value
    return {(*above, meant): place}


def _at(document: dict[str, Any], place: Place) -> dict[str, Any] | None:
    """The table at that place; None when an earlier fault has taken it out."""
    node: Any = document
    for part in place:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node if isinstance(node, dict) else None
