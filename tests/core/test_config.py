"""The models: defaults, short forms, the permission to write, and the file that says the same."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from devloop.core.config import (
    AllowedPlace,
    BuildConfig,
    ClusterConfig,
    Config,
    LoopConfig,
    OnExit,
    ServiceConfig,
    UiConfig,
    json_schema,
    to_toml,
)
from devloop.core.layers import merge, prepare
from devloop.core.problems import dotted, services_of
from devloop.core.resolve import Scope, examine
from devloop.core.service import Pin
from devloop.core.validate import validate

TABLES: tuple[type[BaseModel], ...] = (
    Config, ClusterConfig, AllowedPlace, ServiceConfig, BuildConfig, LoopConfig, UiConfig,
)  # fmt: skip


def service(**keys: Any) -> ServiceConfig:
    return ServiceConfig.model_validate({"image": "h:5000/x", **keys})


def test_defaults() -> None:
    config = Config.model_validate({"services": {"web": {"image": "h:5000/x"}}})
    assert (config.loop.debounce, config.loop.rollout_timeout, config.loop.on_exit) == (0.03, 300.0, OnExit.KEEP)
    assert config.ui.notify
    web = config.services["web"]
    assert (web.pin, web.tag, web.push_image, web.workload, web.build.context) == (Pin.TAG, "", "", (), ".")


def test_a_switch_is_true_or_false() -> None:
    (finding,) = validate({"ui": {"notify": "no"}}).findings
    assert finding.place == ("ui", "notify")
    assert (finding.message, finding.fix) == ("must be true or false, not a string", "write it like `notify = false`")


def test_short_forms() -> None:
    short = service(workload="deployment/a", container="c", watch="w", build="folder", depends_on="d")
    long = service(
        workload=["deployment/a"], container=["c"], watch=["w"], build={"context": "folder"}, depends_on=["d"]
    )
    assert short == long
    assert ClusterConfig.model_validate({"allow": ["c"]}) == ClusterConfig.model_validate({"allow": [{"context": "c"}]})


def test_a_tag_inside_image_counts_as_tag() -> None:
    assert service(image="h:5000/x:v1") == service(tag="v1")
    with pytest.raises(ValidationError, match="holds a tag"):
        service(image="h:5000/x:v1", tag="v2")


@pytest.mark.parametrize(
    ("cluster", "context", "namespace", "allowed"),
    [
        ({}, "kind-x", "default", False),
        ({"context": "prod"}, "prod", "anything", True),
        ({"context": "prod"}, "prod2", "x", False),
        ({"context": "*"}, "prod", "x", False),
        ({"allow": ["team-*"]}, "team-dev", "x", True),
        ({"allow": ["team-*"]}, "other", "x", False),
        ({"allow": [{"context": "a/b:c", "namespace": "jo-*"}]}, "a/b:c", "jo-1", True),
        ({"allow": [{"context": "a/b:c", "namespace": "jo-*"}]}, "a/b:c", "prod", False),
        ({"allow": [{"context": "*/dev", "namespace": "jo"}]}, "arn:x:cluster/dev", "jo", True),
        ({"context": ""}, "", "x", False),
        ({"allow": ["*"]}, "", "x", False),
    ],
)
def test_what_may_be_written_to(cluster: dict[str, Any], context: str, namespace: str, allowed: bool) -> None:
    assert ClusterConfig.model_validate(cluster).allows(context, namespace) is allowed


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented_with_an_example_that_is_valid(table: type[BaseModel]) -> None:
    for name, field in table.model_fields.items():
        assert field.description, name
        if table is not Config:
            assert field.examples, name
        for example in field.examples or ():
            required = (
                {"image": "h:5000/x"} if table is ServiceConfig else {"context": "c"} if table is AllowedPlace else {}
            )
            table.model_validate({**required, name: example})


def test_schema_names_every_key_and_refuses_unknown_ones() -> None:
    schema = json_schema()
    assert schema == json.loads(json.dumps(schema))
    for table in TABLES:
        node = schema if table is Config else schema["$defs"][table.__name__]
        assert node["additionalProperties"] is False
        assert set(node["properties"]) == set(table.model_fields)
        assert all(key.get("description") for key in node["properties"].values())
    loop = schema["$defs"]["LoopConfig"]["properties"]
    assert (loop["debounce"]["type"], loop["debounce"]["default"]) == ("string", "30ms")
    build = schema["$defs"]["ServiceConfig"]["properties"]["build"]
    assert {"type": "string"} in build["anyOf"]


names = st.from_regex(r"[a-z][a-z0-9-]{0,5}[a-z0-9]", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(["${X}", "$${", "a b"])
services = st.fixed_dictionaries(
    {"image": names.map(lambda name: f"h:5000/{name}")},
    optional={
        "tag": names,
        "pin": st.sampled_from(["tag", "digest"]),
        "workload": names.map(lambda name: f"deployment/{name}"),
        "container": st.lists(words, max_size=3),
        "build": words
        | st.fixed_dictionaries({}, optional={"context": words, "args": st.dictionaries(words, words, max_size=2)}),
        "ignore": st.lists(words, max_size=2),
    },
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "cluster": st.fixed_dictionaries(
            {},
            optional={
                "context": words,
                "allow": st.lists(words | st.fixed_dictionaries({"context": words, "namespace": words}), max_size=3),
            },
        ),
        "services": st.dictionaries(names, services, max_size=3),
        "loop": st.fixed_dictionaries(
            {}, optional={"debounce": st.sampled_from(["0s", "5ms", "1m1s"]), "parallel_builds": st.integers(1, 9)}
        ),
        "ui": st.fixed_dictionaries({}, optional={"notify": st.booleans()}),
    },
)


@given(documents)
def test_the_written_file_says_the_same(document: dict[str, Any]) -> None:
    config = Config.model_validate(document)
    tables, findings = prepare(tomllib.loads(to_toml(config)), {})
    assert not findings
    assert Config.model_validate(tables) == config


anything = st.recursive(
    st.none() | st.integers() | st.booleans() | words | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from([name for table in TABLES for name in table.model_fields] + ["buid", "contex", "x", "web"])
rubbish = st.recursive(anything, lambda inner: st.dictionaries(keys, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(keys, rubbish, max_size=4))
def test_any_document_is_either_valid_or_faulted(document: dict[str, Any]) -> None:
    findings = validate(document).findings
    try:
        Config.model_validate(document)
    except ValidationError:
        assert findings
    else:
        assert not findings


@given(st.dictionaries(keys, rubbish, max_size=3), st.dictionaries(keys, rubbish, max_size=3))
def test_no_pair_of_files_is_too_strange(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    tables = merge(prepare(base, {})[0], prepare(overlay, {})[0])
    checked = validate(tables)
    scope = Scope(Path("/src"), namespace="", local=False, user="u", branch="b")
    services, contradictions = examine(checked.config, scope, doubtful=services_of(checked.findings))
    assert {service.name for service in services} <= set(checked.config.services)
    for finding in (*checked.findings, *contradictions):
        assert dotted(checked.written(finding).place)
        assert finding.message
        assert finding.fix
