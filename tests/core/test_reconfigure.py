"""What an edit of the configuration changes: a table of differences."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from devloop.core.config import Config
from devloop.core.image import ImageRef
from devloop.core.problems import Problems
from devloop.core.reconfigure import difference
from devloop.core.resolve import resolve
from devloop.core.service import BuildSpec, Load, Pin, Service, WorkloadKey
from devloop.core.settings import settings, with_fixed


def config(services: dict[str, Any] | None = None, **tables: Any) -> Config:
    found = {name: {"image": f"h:5000/{name}", **table} for name, table in (services or {}).items()}
    return Config.model_validate({"services": found, **tables})


def services(tables: dict[str, Any]) -> tuple[Service, ...]:
    found = resolve(config(tables), root=Path("/src"), context_namespace="shop", local=True, user="jo", branch="main")
    assert not isinstance(found, Problems), str(found)
    return found


WEB = {"build": "web"}
CHANGES: list[tuple[dict[str, Any], tuple[str, ...], bool]] = [
    ({}, (), False),
    ({"build": {"context": "web"}}, (), False),
    ({"workload": ["deployment/web"]}, (), False),
    ({"image": "h:5000/other"}, ("image",), True),
    ({"tag": "mine"}, ("tag",), True),
    ({"image": "h:5000/web:mine"}, ("tag",), True),
    ({"push_image": "localhost:5000/shop"}, ("push_image",), True),
    ({"pin": "digest"}, ("pin",), True),
    ({"namespace": "other"}, ("namespace",), True),
    ({"workload": "deployment/shop"}, ("workload",), True),
    ({"container": "app"}, ("container",), True),
    ({"build": {"context": "web", "args": {"TOKEN": "s3cret"}}}, ("build.args",), True),
    ({"build": {"context": "web", "dockerfile": "dev.Dockerfile"}}, ("build.dockerfile",), True),
    ({"build": {"context": "web", "target": "dev", "delta": False}}, ("build.target", "build.delta"), True),
    ({"build": "api"}, ("build.context",), True),
    ({"build": {"context": "web"}, "watch": ["web", "lib"]}, ("watch",), True),
    ({"ignore": "*.md"}, ("ignore",), True),
    ({"depends_on": "db"}, ("depends_on",), False),
    ({"depends_on": "db", "ignore": "*.md"}, ("ignore", "depends_on"), True),
]
OF_FILES = {"watch", "ignore", "build.context", "build.dockerfile"}


@pytest.mark.parametrize(("table", "keys", "needs_cycle"), CHANGES, ids=lambda case: str(case))
def test_what_a_key_changes(table: dict[str, Any], keys: tuple[str, ...], needs_cycle: bool) -> None:
    others: dict[str, Any] = {"db": {}}
    found = difference(services({"web": WEB, **others}), services({"web": {**WEB, **table}, **others}))
    assert (found.added, found.removed) == ((), ())
    assert [(each.keys, each.needs_cycle) for each in found.changed] == ([(keys, needs_cycle)] if keys else [])
    assert found.outdated == ({"web"} if needs_cycle else set())
    assert [each.name for each in found.watched] == (["web"] if {*keys} & OF_FILES else [])


def test_services_come_and_go() -> None:
    web, api, db = services({"web": WEB, "api": {"build": "api"}, "db": {"build": "db"}})
    assert not difference((web, api), (api, web)), "the order is no difference"
    found = difference((web, api), (api, db))
    assert (found.added, found.changed, found.removed) == ((db,), (), (web,))
    assert found.begun == (db,)
    assert found.outdated == {"web"}


OTHER: dict[str, Any] = {
    "image": ImageRef("h:1", "other", "dev"), "push": ImageRef("h:1", "other", "dev"), "pin": Pin.DIGEST,
    "workloads": (WorkloadKey("shop", "deployment", "web"), WorkloadKey("shop", "deployment", "other")),
    "containers": ("other",), "watch": (Path("/other"),), "ignore": ("other",), "depends_on": ("other",),
    "load": Load.KIND,
    "context": Path("/other"), "dockerfile": Path("/other"), "target": "other", "args": (("A", "b"),),
    "secrets": ("id=a",), "ssh": ("default",), "platform": "linux/arm64", "builder": "other",
    "cache_from": ("other",), "cache_to": ("other",), "flags": ("--other",), "delta": False,
}  # fmt: skip


@pytest.mark.parametrize("field", [f.name for f in fields(Service) if f.compare and f.name not in {"name", "build"}])
def test_no_field_of_a_service_changes_without_a_key(field: str) -> None:
    (web,) = services({"web": WEB})
    (changed,) = difference((web,), (replace(web, **{field: OTHER[field]}),)).changed
    assert changed.keys


@pytest.mark.parametrize("field", [f.name for f in fields(BuildSpec)])
def test_no_field_of_a_build_changes_without_a_key(field: str) -> None:
    (web,) = services({"web": WEB})
    (changed,) = difference((web,), (replace(web, build=replace(web.build, **{field: OTHER[field]})),)).changed
    assert changed.keys == (f"build.{field}",)


SETTINGS: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...], tuple[str, ...]]] = [
    ({}, {}, (), ()),
    ({}, {"loop": {"debounce": "50ms"}}, ("loop.debounce",), ()),
    ({"loop": {"audit": True}}, {"ui": {"notify": False}}, ("loop.audit", "ui.notify"), ()),
    ({}, {"cluster": {"allow": ["kind-*"]}}, ("cluster.allow",), ()),
    ({}, {"cluster": {"context": "b"}}, (), ("cluster.context",)),
    ({"cluster": {"namespace": "a"}}, {"cluster": {"namespace": "b"}}, (), ("cluster.namespace",)),
    ({"cluster": {"context": "b"}}, {"cluster": {"context": "b"}, "loop": {"audit": True}}, ("loop.audit",), ()),
    ({"cluster": {"context": "b"}}, {}, (), ()),
]


@pytest.mark.parametrize(("before", "after", "live", "fixed"), SETTINGS)
def test_what_changes_beside_the_services(
    before: dict[str, Any], after: dict[str, Any], live: tuple[str, ...], fixed: tuple[str, ...]
) -> None:
    """A fixed setting is told once, and not when it is what it was at the start."""
    found = settings(config(**before), config(**after), in_force=config())
    assert (found.live, found.fixed) == (live, fixed)


def test_what_cannot_change_stays_as_it_is_in_force() -> None:
    before = config(cluster={"context": "a", "namespace": "n"})
    after = with_fixed(config({"web": WEB}, cluster={"context": "b", "allow": ["c"]}), before)
    assert (after.cluster.context, after.cluster.namespace) == ("a", "n")
    assert after.cluster.allows("c", "any")
    assert list(after.services) == ["web"]
