"""From the configuration to services: paths, names, order, and what contradicts itself."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.config import Config
from devloop.core.image import ImageRef
from devloop.core.order import cycles, dependencies_first
from devloop.core.problems import Problems
from devloop.core.resolve import resolve
from devloop.core.service import Load, Pin, Service, WorkloadKey

ROOT = Path("/src")


def resolved(services: dict[str, Any], **keys: Any) -> tuple[Service, ...] | Problems:
    cluster = keys.pop("cluster", {})
    tables = {name: {"image": f"h:5000/{name}", **table} for name, table in services.items()}
    config = Config.model_validate({"cluster": cluster, "services": tables})
    scope = {"context_namespace": "ctx", "local": True, "user": "Jo", "branch": "feature/x", **keys}
    return resolve(config, root=ROOT, **scope)


def one(table: dict[str, Any], **keys: Any) -> Service:
    services = resolved({"web": table}, **keys)
    assert not isinstance(services, Problems), str(services)
    return services[0]


def problems(services: dict[str, Any], **keys: Any) -> list[str]:
    found = resolved(services, **keys)
    assert isinstance(found, Problems)
    return [str(problem) for problem in found]


def test_defaults() -> None:
    web = one({})
    assert web == Service(
        name="web",
        image=ImageRef("h:5000", "web", "dev"),
        push=ImageRef("h:5000", "web", "dev"),
        pin=Pin.TAG,
        workloads=(WorkloadKey("ctx", "deployment", "web"),),
        containers=(),
        build=web.build,
        watch=(ROOT,),
    )
    assert (web.build.context, web.build.dockerfile) == (ROOT, ROOT / "Dockerfile")


def test_every_key_is_carried_over() -> None:
    build = {
        "context": "./web/../api",
        "dockerfile": "docker/api.Dockerfile",
        "target": "dev",
        "args": {"B": "2", "A": "1"},
        "secrets": ["id=npm,src=.npmrc", "id=t,env=TOKEN"],
        "ssh": ["default", "work=keys/id,/abs/key"],
        "platform": "linux/arm64",
        "builder": "remote",
        "cache_from": ["type=local,src=cache", "h:5000/web:cache"],
        "cache_to": "type=local,dest=cache,mode=max",
        "flags": ["--pull"],
    }
    web = one(
        {
            "push_image": "localhost:5001/web",
            "tag": "t",
            "pin": "digest",
            "workload": ["deployment/a", "deploy/b", "deployment/a"],
            "namespace": "own",
            "container": ["c", "init"],
            "build": build,
            "watch": ["web", "/abs"],
            "ignore": "*.md",
        }
    )
    assert (str(web.image), str(web.push), web.pin) == ("h:5000/web:t", "localhost:5001/web:t", Pin.DIGEST)
    assert web.workloads == (WorkloadKey("own", "deployment", "a"), WorkloadKey("own", "deployment", "b"))
    assert (web.containers, web.ignore, web.watch) == (("c", "init"), ("*.md",), (ROOT / "web", Path("/abs")))
    spec = web.build
    assert (spec.context, spec.dockerfile) == (ROOT / "api", ROOT / "docker/api.Dockerfile")
    assert (spec.target, spec.args, spec.flags) == ("dev", (("A", "1"), ("B", "2")), ("--pull",))
    assert (spec.platform, spec.builder) == ("linux/arm64", "remote")
    assert spec.secrets == ("id=npm,src=/src/.npmrc", "id=t,env=TOKEN")
    assert spec.ssh == ("default", "work=/src/keys/id,/abs/key")
    assert spec.cache_from == ("type=local,src=/src/cache", "h:5000/web:cache")
    assert spec.cache_to == ("type=local,dest=/src/cache,mode=max",)


@pytest.mark.parametrize(
    ("table", "scope", "tag"),
    [
        ({}, {"local": True}, "dev"),
        ({}, {"local": False}, "dev-Jo"),
        ({}, {"local": False, "user": "DOM\\jo smith"}, "dev-DOM-jo-smith"),
        ({"tag": "x-{branch}"}, {}, "x-feature-x"),
        ({"tag": "{service}.{user}"}, {}, "web.Jo"),
        ({"image": "h:5000/x:v1"}, {"local": False}, "v1"),
    ],
)
def test_tags(table: dict[str, Any], scope: dict[str, Any], tag: str) -> None:
    assert one(table, **scope).image.tag == tag


def test_names_are_filled_into_repositories_in_lower_case() -> None:
    web = one({"image": "h:5000/{user}/{service}", "push_image": "p:1/{branch}"})
    assert (str(web.image), str(web.push)) == ("h:5000/jo/web:dev", "p:1/feature-x:dev")


@pytest.mark.parametrize(
    ("table", "cluster", "command_line", "namespace"),
    [
        ({}, {}, "", "ctx"),
        ({}, {"namespace": "file"}, "", "file"),
        ({}, {"namespace": "file"}, "cli", "cli"),
        ({"namespace": "own"}, {"namespace": "file"}, "cli", "own"),
    ],
)
def test_namespaces(table: dict[str, Any], cluster: dict[str, Any], command_line: str, namespace: str) -> None:
    assert one(table, cluster=cluster, namespace=command_line).workloads[0].namespace == namespace


def test_without_any_namespace_it_is_default() -> None:
    assert one({}, context_namespace="").workloads[0].namespace == "default"


def test_dependencies_come_first_and_with_those_that_need_them() -> None:
    services = {
        "web": {"depends_on": ["api", "db"], "tag": "1"},
        "job": {"tag": "2"},
        "api": {"depends_on": "db", "tag": "3"},
        "db": {"tag": "4"},
    }

    def names(*only: str) -> list[str]:
        found = resolved(services, only=only)
        assert not isinstance(found, Problems)
        return [service.name for service in found]

    assert names() == ["db", "api", "web", "job"]
    assert names("api") == ["db", "api"]
    assert names("job", "web") == ["job", "db", "api", "web"]


@pytest.mark.parametrize(
    ("services", "scope", "problem"),
    [
        (
            {},
            {},
            "services: no service is defined; add `[services.NAME]` with an `image`; "
            "without one only `devloop up deployment/NAME` works here",
        ),
        ({"web": {}}, {"only": ["wbe"]}, "services: there is no service `wbe`; did you mean `web`?"),
        (
            {"web": {}, "db": {}},
            {"only": ["zzz"]},
            "services: there is no service `zzz`; the services are `web` and `db`",
        ),
        (
            {"web": {"tag": "{branch}"}},
            {"branch": ""},
            "services.web.tag: `{branch}` needs `{branch}`, and the source is on no git branch; "
            'write a tag of your own, like `tag = "dev-NAME"`',
        ),
        (
            {"web": {}},
            {"local": False, "user": ""},
            "services.web.tag: `dev-{user}` needs `{user}`, and there is no user name here; "
            'write a tag of your own, like `tag = "dev-NAME"`',
        ),
        (
            {"web": {"depends_on": "dbb"}, "db": {}},
            {},
            "services.web.depends_on: there is no service `dbb`; did you mean `db`?",
        ),
        (
            {"a": {"depends_on": "b"}, "b": {"depends_on": "a"}},
            {},
            "services.a.depends_on: `a` waits for itself (a -> b -> a); remove one of these dependencies",
        ),
        (
            {"a": {"image": "h:1/x", "build": "a"}, "b": {"image": "h:1/x", "build": "b"}},
            {},
            "services.b.tag: `h:1/x:dev` is also what `a` makes, from another build; "
            "give one of them a tag of its own, or both the same `build`",
        ),
        (
            {"a": {"image": "h:1/x", "build": "a"}, "b": {"image": "h:1/x", "build": "b", "tag": "dev-Jo"}},
            {"local": False},
            "services.b.tag: `h:1/x:dev-Jo` is also what `a` makes, from another build; "
            "give one of them a tag of its own, or both the same `build`",
        ),
        (
            {"a": {"push_image": "p:1/x", "build": "a"}, "b": {"push_image": "p:1/x", "build": "b"}},
            {},
            "services.b.tag: `p:1/x:dev` is also what `a` makes, from another build; "
            "give one of them a tag of its own, or both the same `build`",
        ),
        (
            {
                "a": {"workload": "deployment/w", "container": ["x", "y"]},
                "b": {"workload": "deploy/w", "container": "y"},
            },
            {},
            "services.b.container: `a` and `b` both claim container `y` of `deployment/w`; "
            "name other containers with `container`, or remove one of the services",
        ),
        (
            {"a": {"image": "h:1/x", "workload": "deployment/w"}, "b": {"image": "h:1/x", "workload": "deployment/w"}},
            {},
            "services.b.workload: `a` and `b` both claim the same containers of `deployment/w`; "
            "name other containers with `container`, or remove one of the services",
        ),
    ],
)
def test_contradictions(services: dict[str, Any], scope: dict[str, Any], problem: str) -> None:
    assert problems(services, **scope) == [f"devloop.toml: {problem}"]


@pytest.mark.parametrize(
    "services",
    [
        {"a": {"image": "h:1/x"}, "b": {"image": "h:1/x"}},
        {"a": {"image": "h:1/x", "build": "a"}, "b": {"image": "h:1/x", "build": "b", "tag": "other"}},
        {"a": {"workload": "deployment/w", "container": "x"}, "b": {"workload": "deployment/w", "container": "y"}},
        {"a": {"workload": "deployment/w", "container": "x"}, "b": {"workload": "deployment/w"}},
        {"a": {"workload": "deployment/w"}, "b": {"workload": "deployment/w"}},
        {
            "a": {"workload": "deployment/w", "container": "x"},
            "b": {"workload": "deployment/w", "container": "x", "namespace": "o"},
        },
    ],
)
def test_what_can_run_side_by_side(services: dict[str, Any]) -> None:
    assert not isinstance(resolved(services), Problems)


def test_a_tag_that_becomes_too_long() -> None:
    tag = "x" * 100 + "{branch}"
    assert "no valid tag" in problems({"web": {"tag": tag}}, branch="y" * 40)[0]


names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.lists(names, max_size=3), max_size=6)


@given(graphs, st.lists(names, max_size=2))
def test_order(edges: dict[str, list[str]], wanted: list[str]) -> None:
    order = dependencies_first(edges, wanted)
    assert len(set(order)) == len(order)
    assert {name for name in wanted or edges if name in edges} <= set(order)
    found = cycles(edges)
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(after in edges[before] for before, after in pairwise(cycle))
    if not found:
        at = {name: index for index, name in enumerate(order)}
        assert all(at[above] < at[name] for name in order for above in edges[name] if above in edges)
        assert set(order) >= {above for name in order for above in edges[name] if above in edges}


def test_a_loaded_image_needs_no_host_and_is_told_by_its_build() -> None:
    web = one({"image": "shop/web", "load": "auto"})
    assert web.image == web.push == ImageRef("", "shop/web", "dev")
    assert (web.load, web.pin) == (Load.AUTO, Pin.LOADED)
    pushed = one({"load": "none"})
    assert (pushed.load, pushed.pin) == (None, Pin.TAG)
    assert pushed.build_key != one({"load": "kind"}).build_key


def test_an_image_that_is_pushed_names_its_registry() -> None:
    (problem,) = problems({"web": {"image": "shop/web"}})
    assert "services.web.image: `shop/web` names no registry host" in problem
    assert problem.endswith('or set `load = "auto"`')


@pytest.mark.parametrize(
    ("table", "scope", "guessed"),
    [
        ({}, {}, True),
        ({"namespace": "own"}, {}, False),
        ({}, {"namespace": "asked"}, False),
        ({}, {"cluster": {"namespace": "file"}}, False),
    ],
)
def test_a_namespace_that_nothing_says_is_known_as_the_contexts(
    table: dict[str, Any], scope: dict[str, Any], guessed: bool
) -> None:
    assert one(table, **scope).is_guessed is guessed
