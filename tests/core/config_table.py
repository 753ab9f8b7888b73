"""The tables of `docs/configuration.md`, made of the models; `python -m tests.core.config_table` writes them anew."""

import enum
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from devloop.core import toml
from devloop.core.config import AllowedPlace, BuildConfig, ClusterConfig, LoopConfig, ServiceConfig, UiConfig

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
TABLES: dict[str, type[BaseModel]] = {
    "cluster": ClusterConfig,
    "allow": AllowedPlace,
    "services": ServiceConfig,
    "build": BuildConfig,
    "loop": LoopConfig,
    "ui": UiConfig,
}


def tables_of(text: str) -> dict[str, str]:
    """The generated blocks of a document, by name."""
    return dict(re.findall(r"<!-- keys: (\w+) -->\n(.*?)<!-- end -->", text, re.DOTALL))


def table(model: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_type(name, model)} | {_text(field)} | {_example(name, field)} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join(["| key | type | meaning | example |", "|---|---|---|---|", *rows]) + "\n"


def _type(name: str, model: type[BaseModel]) -> str:
    node = model.model_json_schema()["properties"][name]
    options = [_type_name(each) for each in node.get("anyOf", [node])]
    return " or ".join(options)


def _type_name(node: dict[str, Any]) -> str:
    if "$ref" in node:
        return "table" if node["$ref"].endswith(("Config", "Place")) else "string"
    if node["type"] == "array":
        return "list" if "anyOf" in node["items"] else f"list of {node['items']['type']}s"
    return {"object": "table of strings", "integer": "number"}.get(str(node["type"]), str(node["type"]))


def _text(field: FieldInfo) -> str:
    words = " ".join((field.description or "").split())
    if field.is_required():
        return f"{words} Required."
    default = field.default.value if isinstance(field.default, enum.Enum) else None
    extra = field.json_schema_extra
    default = extra["default"] if isinstance(extra, dict) and "default" in extra else default
    default = field.default if isinstance(field.default, int) and default is None else default
    return words if default is None else f"{words} Default: `{toml.value_text(default)}`."


def _example(name: str, field: FieldInfo) -> str:
    return "<br>".join(f"`{name} = {toml.value_text(example)}`" for example in field.examples or ())


def main() -> None:
    text = DOCUMENT.read_text("utf-8")
    for name, model in TABLES.items():
        block = re.compile(rf"(<!-- keys: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = block.sub(lambda match, model=model: match[1] + table(model) + match[2], text)  # type: ignore[misc]
    DOCUMENT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
