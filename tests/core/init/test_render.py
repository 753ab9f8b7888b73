"""What is written: devloop's own loader reads it as what was meant, and the words are the ones people read."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.config import Config
from devloop.core.containers import choose
from devloop.core.init.draft import Draft, Target, draft
from devloop.core.init.evidence import Spot
from devloop.core.init.match import match
from devloop.core.init.registry import places
from devloop.core.init.render import local_file, project_file
from devloop.core.init.source import FoundDockerfile, StatedBuild
from devloop.core.init.surroundings import Surroundings
from devloop.core.layers import merge, prepare
from devloop.core.resolve import resolve
from devloop.core.service import Service
from devloop.core.validate import validate
from devloop.core.workload import Template
from devloop.views.init import report
from tests.core.init.world import FAR, KIND, LOCAL, compose, dockerfile, drafted, matching, project, running

R = "registry:5000"
DRAFT = drafted(
    project(
        "web/Dockerfile",
        dockerfile("api/Dockerfile", "python:3"),
        "jobs/Dockerfile",
        stated=(compose("web", "web", depends_on=("api", "db")), compose("api", "api")),
    ),
    running("web", f"{R}/shop/web:3f2c91a7b0", "envoy:1", names=("web", "proxy")),
    running("api", "nginx"),
    running("jobs", f"{R}/shop/jobs:1", namespace="batch"),
    running("jobs", f"{R}/shop/jobs:1", namespace="nightly"),
)
PROJECT = """\
# What devloop keeps running. `devloop init` wrote this file, and it is yours to edit:
# `devloop schema`, and docs/configuration.md of devloop, explain every key.
# A service without `tag` gets `dev` on a known local cluster, and `dev-{user}` elsewhere: one for each person.

# api/Dockerfile -> deployment/api in shop: it is called api, its name in compose.yaml.
# It runs nginx now, which is not its own; registry:5000 is the cluster's own, says ConfigMap
# kube-public/local-registry-hosting.
[services.api]
image = "registry:5000/shop/api"
build = "api"
workload = "deployment/api"

# web/Dockerfile -> deployment/web in shop: the image registry:5000/shop/web ends in its name in compose.yaml, web.
# It runs the commit 3f2c91a7b0 now; devloop moves a tag of its own.
[services.web]
image = "registry:5000/shop/web"
tag = "dev"
build = "web"
workload = "deployment/web"
container = "web"
depends_on = ["api"]

# jobs/Dockerfile: it may be `deployment/jobs in batch` or `deployment/jobs in nightly`, for equally good reasons. If
# this is right, or once you corrected it, uncomment it.
# [services.jobs]
# image = "registry:5000/shop/jobs"
# build = "jobs"
# workload = "deployment/jobs"
# namespace = "batch"

# More for a service: tag, pin, watch, ignore, depends_on, and under build: target, args, secrets, platform.
# For all of them: [loop] and [ui].
"""
LOCAL_TEXT = """\
# Of this checkout alone: laid over devloop.toml, and not committed.

[cluster]
# devloop writes through this kube context and no other; naming it here permits that.
context = "kind-dev"
namespace = "shop"

# What Pods pull from registry:5000 goes here, says ConfigMap kube-public/local-registry-hosting.
[services.api]
push_image = "localhost:5001/shop/api"

# What Pods pull from registry:5000 goes here, says ConfigMap kube-public/local-registry-hosting.
[services.web]
push_image = "localhost:5001/shop/web"
"""


def read(draft: Draft) -> Config:
    """The configuration that both files make, as the loader reads it."""
    tables: dict[str, Any] = {}
    for text in (project_file(draft), local_file(draft)):
        prepared, findings = prepare(tomllib.loads(text), {})
        assert findings == []
        tables = merge(tables, prepared)
    checked = validate(tables)
    assert checked.findings == ()
    return checked.config


def resolved(draft: Draft) -> tuple[Service, ...]:
    found = resolve(
        read(draft), root=Path("/p"), context_namespace="elsewhere", local=draft.target.local, user="jo", branch="main"
    )
    assert isinstance(found, tuple), found
    assert all(isinstance(each, Service) for each in found), found
    return found  # type: ignore[return-value]


def test_the_text() -> None:
    assert project_file(DRAFT) == PROJECT
    assert local_file(DRAFT) == LOCAL_TEXT


def test_the_services_are_those_that_were_meant() -> None:
    api, web = resolved(DRAFT)
    assert (str(api.image), str(api.push)) == (f"{R}/shop/api:dev", "localhost:5001/shop/api:dev")
    assert (str(web.workloads[0]), web.workloads[0].namespace, web.containers) == ("deployment/web", "shop", ("web",))
    assert (web.build.context, web.depends_on) == (Path("/p/web"), ("api",))


def test_a_comment_that_is_uncommented_is_valid() -> None:
    text = "\n".join(
        line.removeprefix("# ") if line.startswith(("# [services", "# image", "# build", "# workload", "# namespace"))
        else line for line in project_file(DRAFT).splitlines()
    )  # fmt: skip
    assert validate(tomllib.loads(text)).findings == ()
    assert "jobs" in tomllib.loads(text)["services"]


def test_the_comment_has_the_image_that_an_answer_would_get() -> None:
    sources = project("web/Dockerfile", "worker/Dockerfile")
    web, worker = (
        running("web", f"{R}/shop/web:1"), running("worker", "acme/worker:1.2", "nginx:1", names=("app", "proxy")),
    )  # fmt: skip
    text = project_file(drafted(sources, web, worker))
    why = "which may be somebody else's, as Docker is not logged in to Docker Hub"
    note = f"It runs acme/worker:1.2 now, {why}; registry:5000 is the cluster's own"
    assert note in text.replace("\n# ", " ")
    spot = Spot(worker, worker.containers[0])
    found = match(sources, (web, worker), project="shop", around=KIND, asked={sources[1]: spot})
    place = places((web, worker), found.matched, KIND)[0]
    (answered,) = (each for each in draft(found, LOCAL, KIND, place, project="shop", shared=True).services
                   if each.name == "worker")  # fmt: skip
    assert why in answered.image.notes[0]
    lines = ["# [services.worker]", f'# image = "{answered.image.image}"', '# build = "worker"']
    lines += ['# workload = "deployment/worker"', '# container = "app"']
    assert "\n".join(lines) in text


def test_a_project_that_nobody_shares_has_its_namespace_in_the_file() -> None:
    alone = drafted(project("web/Dockerfile"), running("web", f"{R}/web"), shared=False)
    assert tomllib.loads(project_file(alone))["cluster"] == {"namespace": "shop"}
    assert tomllib.loads(local_file(alone))["cluster"] == {"context": "kind-dev"}


def test_a_cluster_that_is_not_local_is_named_in_a_comment_alone() -> None:
    far = drafted(project("web/Dockerfile"), running("web", f"{R}/web:latest"), target=FAR)
    assert read(far).cluster.context == ""
    assert '# context = "prod"' in local_file(far)
    assert read(far).services["web"].tag == "dev-{user}"
    confirmed = drafted(project("web/Dockerfile"), running("web", f"{R}/web"), target=Target("prod", False, True))
    assert read(confirmed).cluster.context == "prod"


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        (f"{R}/web:v1.2", ""),
        (f"{R}/web:dev", ""),
        (f"{R}/web:20261128", ""),
        (f"{R}/web:latest", "dev"),
        (f"{R}/web", "dev"),
        (f"{R}/web:sha-3f2c91a", "dev"),
        (f"{R}/web@sha256:{'a' * 64}", "dev"),
    ],
)
def test_a_tag_that_must_not_move_is_left_alone(image: str, tag: str) -> None:
    (service,) = drafted(project("web/Dockerfile"), running("web", image)).services
    assert service.tag == tag


@pytest.mark.parametrize(
    ("live", "container"),
    [
        (running("web", f"{R}/shop/web"), ()),
        (running("web", f"{R}/shop/web", init=(f"{R}/shop/web",)), ()),
        (running("web", "nginx"), ()),
        (running("web", "nginx", init=("busybox",)), ()),
        (running("web", f"{R}/shop/web", "envoy:1"), ("c0",)),
        (running("web", "nginx", "envoy:1", names=("web", "proxy")), ("web",)),
        (running("x", "nginx", f"{R}/shop/web", init=(f"{R}/shop/web",)), ("i0", "c1")),
    ],
)
def test_the_container_is_named_where_a_pod_has_several(live: Any, container: tuple[str, ...]) -> None:
    draft = drafted(project("web/Dockerfile"), live)
    (service,) = resolved(draft)
    assert service.containers == container
    meant = tuple(spot.container.name for spot in draft.services[0].matched.spots)
    assert choose(service, Template(live.containers)) == meant


def test_several_workloads_of_one_image() -> None:
    live = running("web", f"{R}/shop/web", names=("web",)), running("worker", f"{R}/shop/web", names=("worker",))
    (service,) = resolved(drafted(project("web/Dockerfile"), *live))
    assert [str(key) for key in service.workloads] == ["deployment/web", "deployment/worker"]
    assert service.containers == ()


def test_services_of_several_namespaces() -> None:
    live = running("web", f"{R}/web"), running("api", f"{R}/api"), running("db", f"{R}/db", namespace="data")
    found = resolved(drafted(project("web/Dockerfile", "api/Dockerfile", "db/Dockerfile"), *live))
    assert {each.name: each.workloads[0].namespace for each in found} == {"web": "shop", "api": "shop", "db": "data"}


def test_a_build_with_all_there_is() -> None:
    stated = StatedBuild("compose.yaml", "docker/Dockerfile.web", ".", "web", target="dev", args=(("MODE", "${x"),))
    draft = drafted(project(FoundDockerfile("docker/Dockerfile.web"), stated=(stated,)), running("web", f"{R}/web"))
    (service,) = resolved(draft)
    assert service.build.dockerfile == Path("/p/docker/Dockerfile.web")
    assert (service.build.context, service.build.target, service.build.args) == (Path("/p"), "dev", (("MODE", "${x"),))


def test_dependencies_that_would_go_round_are_left_out() -> None:
    stated = (
        compose("web", "web", depends_on=("api",)),
        compose("api", "api", depends_on=("worker",)),
        compose("worker", "web"),
    )
    draft = drafted(
        project("web/Dockerfile", "api/Dockerfile", stated=stated),
        running("web", f"{R}/web"), running("api", f"{R}/api"),
    )  # fmt: skip
    assert [each.depends_on for each in draft.services] == [(), ()]


def test_no_two_services_move_one_tag() -> None:
    stated = (compose("api", ".", f"{R}/shop/web"),)
    live = running("web", "nginx", init=(f"{R}/shop/web:1",))
    found = drafted(project("Dockerfile", "web/Dockerfile", stated=stated), live)
    assert [each.name for each in found.services] == ["api"]
    assert found.unmatched[0].why == f"its image would be {R}/shop/web, which is what `api` makes"


def test_no_two_services_have_one_name() -> None:
    live = running("web", f"{R}/a/web"), running("admin", f"{R}/b/web")
    found = drafted(project("Dockerfile", "web/Dockerfile", name="web"), *live)
    assert len({each.name for each in found.services}) == len(found.services)


def test_what_is_said_of_it() -> None:
    assert list(report(DRAFT, (running("redis", "redis:7"), running("db", "postgres:16", kind="statefulset")))) == [
        "  ✔ api/Dockerfile -> deployment/api in shop: it is called api, its name in compose.yaml",
        "      pushed as localhost:5001/shop/api: what Pods pull from registry:5000 goes here, says ConfigMap "
        "kube-public/local-registry-hosting",
        "      image registry:5000/shop/api: it runs nginx now, which is not its own; registry:5000 is the cluster's "
        "own, says ConfigMap kube-public/local-registry-hosting",
        "  ✔ web/Dockerfile -> deployment/web in shop: the image registry:5000/shop/web ends in its name in "
        "compose.yaml, web",
        "      pushed as localhost:5001/shop/web: what Pods pull from registry:5000 goes here, says ConfigMap "
        "kube-public/local-registry-hosting",
        "      tag dev: it runs the commit 3f2c91a7b0 now; devloop moves a tag of its own",
        "      container web",
        "  · tag dev for api: the usual one on a local cluster; the key `tag` names another",
        "  ! jobs/Dockerfile: it may be `deployment/jobs in batch` or `deployment/jobs in nightly`, for equally good "
        "reasons; in devloop.toml as a comment",
        "  · nothing here builds deployment/redis in shop (redis:7), statefulset/db in shop (postgres:16)",
    ]


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (
            f"{R}/shop/web:dev",
            ["  ! web runs tag dev now: a build moves it, and `devloop restore` does not move it back"],
        ),
        (f"{R}/shop/web:v1", []),
        (
            f"{R}/other/web:dev",
            ["  ! web runs tag dev now: a build moves it, and `devloop restore` does not move it back"],
        ),
        ("nginx:dev", []),
    ],
)
def test_a_tag_that_runs_and_will_be_moved_is_told(image: str, told: list[str]) -> None:
    draft = drafted(project("web/Dockerfile"), running("web", image))
    assert [line for line in report(draft, ()) if "does not move it back" in line] == told


@pytest.mark.parametrize(("user", "tag"), [("Jo Doe", "dev-Jo-Doe"), ("", "dev-{user}")])
def test_the_tag_that_a_shared_cluster_will_have_is_said(user: str, tag: str) -> None:
    found = drafted(project("web/Dockerfile"), running("web", f"{R}/shop/web:1"), target=FAR)
    why = "one for each person, as this is no known local cluster; the key `tag` names another"
    assert f"  · tag {tag} for web: {why}" in [*report(found, (), user)]


def test_what_may_be_built_here_is_not_what_nothing_builds() -> None:
    live = running("web", f"{R}/web", namespace="one"), running("web", f"{R}/web", namespace="two")
    found = matching(project("web/Dockerfile"), *live)
    assert len(list(report(drafted(project("web/Dockerfile"), *live), found.left))) == 1


def test_a_digest_is_shown_short() -> None:
    lines = [*report(drafted(project("web/Dockerfile")), [running("x", f"r/x@sha256:{'a' * 64}")])]
    assert lines[-1] == "  · nothing here builds deployment/x in shop (r/x@aaaaaaaaaaaa)"


_ODD = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: "/" not in text and text not in {".", ".."}
)


@given(folder=_ODD, args=st.dictionaries(_ODD, _ODD, max_size=2), target=st.sampled_from(["", "dev"]))
def test_whatever_a_folder_is_called(folder: str, args: dict[str, str], target: str) -> None:
    """Every name gives a valid file that means that very folder."""
    path = f"{folder}/Dockerfile"
    stated = StatedBuild("compose.yaml", path, folder, "web", target=target, args=tuple(sorted(args.items())))
    draft = drafted(project(FoundDockerfile(path, folder), stated=(stated,)), running("web", f"{R}/shop/web"))
    (service,) = resolved(draft)
    assert service.build.context == Path("/p", folder)
    assert dict(service.build.args) == args
    assert service.build.target == target


_IMAGES = st.sampled_from(
    ["nginx", f"{R}/shop/web:1", f"{R}/shop/api:latest", f"{R}/busybox", "localhost:5000/web", "ghcr.io/a/b@sha256:" +
     "a" * 64, "not an image", "", "docker.io/acme/web"]
)  # fmt: skip
_LIVE = st.lists(
    st.builds(
        lambda name, images, init, namespace: running(name, *images, init=tuple(init), namespace=namespace),
        st.sampled_from(["web", "api", "shop-web", "worker"]),
        st.lists(_IMAGES, min_size=1, max_size=2),
        st.lists(_IMAGES, max_size=1),
        st.sampled_from(["shop", "team"]),
    ),
    max_size=5,
    unique_by=lambda live: live.key,
)
_PATHS = st.lists(
    st.sampled_from(["Dockerfile", "web/Dockerfile", "api/Dockerfile", "x/api/Dockerfile", "docker/Dockerfile.worker"]),
    unique=True,
)
_STATED = st.lists(
    st.builds(
        lambda name, context, image, target, after: compose(name, context, image, target=target, depends_on=(after,)),
        st.sampled_from(["web", "api", "front"]),
        st.sampled_from([".", "web", "api"]),
        st.sampled_from(["", "web", f"{R}/shop/web", "localhost:5001/shop/api:1", "::"]),
        st.sampled_from(["", "dev"]),
        st.sampled_from(["web", "api", "none"]),
    ),
    max_size=3,
)
_HOSTING = st.dictionaries(
    st.sampled_from(["host", "hostFromContainerRuntime", "hostFromClusterNetwork"]),
    st.sampled_from(["localhost:5001", R, "None", "http://x", "", "a b", "127.0.0.1:5000"]),
)


@pytest.mark.parametrize("odd", ["web", "a-web"])
def test_a_new_image_does_not_go_into_a_container_that_runs_another(odd: str) -> None:
    """Neither a name nor the image would tell devloop which container of that one is meant."""
    around = Surroundings.of({"host": R}, [], "the kind cluster `dev`", {"docker.io/acme/web"})
    live = (
        running(odd, "nginx", init=("docker.io/acme/web",)),
        running("api", "docker.io/acme/web", names=("api",)),
        running("worker", "docker.io/acme/web", names=("worker",)),
    )
    draft = drafted(project("Dockerfile", stated=(compose("web", "."),)), *live, around=around)
    (service,) = resolved(draft)
    assert [str(key) for key in service.workloads] == ["deployment/api", "deployment/worker"]
    other = f"deployment/{odd} in shop runs it in other containers (i0) than deployment/api in shop"
    assert f"  ✘ Dockerfile: {other}; write a service of its own for that; left out" in list(report(draft, []))


@given(
    live=_LIVE, paths=_PATHS, stated=_STATED, hosting=_HOSTING, shared=st.booleans(),
    logins=st.lists(st.sampled_from(["docker.io", "ghcr.io", "not a host"]), unique=True),
    users=st.dictionaries(st.sampled_from(["docker.io", "ghcr.io"]), st.sampled_from(["acme", "jo", "a@b"])),
    target=st.sampled_from([LOCAL, FAR]), loads=st.sampled_from(["", "the kind cluster `dev`"]),
    loaded=st.sets(st.sampled_from(["docker.io/library/web", "docker.io/library/nginx", "docker.io/acme/web"])),
)  # fmt: skip
def test_whatever_there_is_the_files_are_valid(
    live: Any,
    paths: list[str],
    stated: Any,
    hosting: dict[str, str],
    shared: bool,
    logins: list[str],
    target: Target,
    loads: str,
    loaded: set[str],
    users: dict[str, str],
) -> None:
    """And each service updates the very containers that it was matched with."""
    around = Surroundings.of(hosting, logins, loads, loaded, users)
    draft = drafted(project(*paths, stated=tuple(stated)), *live, around=around, shared=shared, target=target)
    assert tomllib.loads(local_file(draft)) is not None
    if not draft.services:
        return
    services = {service.name: service for service in resolved(draft)}
    for proposal in draft.services:
        service = services[proposal.name]
        for workload in proposal.matched.workloads:
            meant = tuple(spot.container.name for spot in proposal.matched.spots if spot.live is workload)
            assert choose(service, Template(workload.containers)) == meant


def test_the_local_one_is_the_default_of_this_table() -> None:
    assert read(DRAFT).cluster.context == LOCAL.context
