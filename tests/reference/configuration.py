"""`docs/configuration.md`: every key of `devloop.toml`, from the models and their JSON schema."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from devloop.core import toml
from devloop.core.config import AllowedPlace, BuildConfig, ClusterConfig, LoopConfig, ServiceConfig, UiConfig
from tests.reference.markdown import table

TABLES: dict[str, type[BaseModel]] = {
    "cluster": ClusterConfig,
    "allow": AllowedPlace,
    "services": ServiceConfig,
    "build": BuildConfig,
    "loop": LoopConfig,
    "ui": UiConfig,
}
_DEFAULT = " Default: "


def blocks() -> dict[str, str]:
    """The blocks of the page, by name."""
    return {name: _keys(model) for name, model in TABLES.items()}


def _keys(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    rows = (
        (f"`{name}`", _type(schema, name), _default(field), _meaning(field), _examples(name, field))
        for name, field in model.model_fields.items()
    )
    return table(("key", "type", "default", "meaning", "example"), rows)


def _type(schema: dict[str, Any], name: str) -> str:
    node = schema["properties"][name]
    return " or ".join(_type_name(each, schema) for each in node.get("anyOf", [node]))


def _type_name(node: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in node:
        return _type_name(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    if "enum" in node:
        return _one_of([f'`"{value}"`' for value in node["enum"]])
    if node["type"] == "array":
        return "list" if "anyOf" in node["items"] else f"list of {node['items']['type']}s"
    if node["type"] == "object":
        return "table" if "properties" in node else "table of strings"
    return {"integer": "number"}.get(str(node["type"]), str(node["type"]))


def _one_of(values: list[str]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"


def _meaning(field: FieldInfo) -> str:
    return _words(field).partition(_DEFAULT)[0]


def _default(field: FieldInfo) -> str:
    """What the docstring says, else the value; empty where leaving the key out has no other meaning."""
    if field.is_required():
        return "required"
    _, told, words = _words(field).partition(_DEFAULT)
    if told:
        return words.removesuffix(".")
    extra = field.json_schema_extra
    value = extra["default"] if isinstance(extra, dict) and "default" in extra else field.default
    return f"`{toml.value_text(value)}`" if value or value is False else ""


def _words(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _examples(name: str, field: FieldInfo) -> str:
    return "<br>".join(f"`{name} = {toml.value_text(example)}`" for example in field.examples or ())
