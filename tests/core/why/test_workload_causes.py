"""Causes that stand in the workload, in the source, or around it; and which one comes first."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.failure import ExitCode, FailureCode
from devloop.core.image import ImageRef
from devloop.core.original import Original, Written
from devloop.core.patch import BuildMark
from devloop.core.status import ContainerRef
from devloop.core.why.cause import LINKS, CauseCode, Link
from devloop.core.why.chain import Holds, chain, first_broken
from devloop.core.why.diagnosis import diagnose, exit_code
from devloop.core.why.facts import (
    Facts,
    LocalTag,
    Push,
    Reference,
    RegistryImage,
    Route,
    SavedFile,
    Source,
    Unread,
)
from devloop.core.workload import ORIGINAL, ContainerSpec, ContainerStatus, Manager, Pod, Template, Terminated, Waiting
from tests.core.why.scenes import AFTER, BEFORE, IF_NOT_PRESENT, NOW, STARTED, facts, in_registry, local, running
from tests.core.why.scenes import reference as made
from tests.core.workloads import DEV, REPOSITORY, digest, pod, resolved, revision, snapshot


def codes(found: Facts) -> list[str]:
    return [cause.code for cause in diagnose(found)]


def of_deployment(found: Facts, **changes: Any) -> Facts:
    assert found.snapshot.deployment is not None
    return replace(found, snapshot=replace(found.snapshot, deployment=replace(found.snapshot.deployment, **changes)))


FINE = facts(running("one", "a"))


# not built -----------------------------------------------------------------------------------------------------------


def source(*newer: SavedFile, newest: SavedFile | None = None, **more: Any) -> Source:
    return Source("web", "web", "web/.dockerignore", newer, newest or (newer[0] if newer else None), BEFORE, **more)


def test_source_that_is_newer_than_the_image() -> None:
    files = (SavedFile("app.py", AFTER), SavedFile("lib.py", AFTER - 1))
    (cause,) = diagnose(replace(FINE, source=source(*files)))
    assert cause.code is CauseCode.NOT_BUILT
    assert cause.message == "app.py and 1 more file in web were saved after the image was built"
    assert cause.fix == "devloop up web --once"


def test_a_save_that_the_ignore_file_leaves_out() -> None:
    saved = SavedFile("conf/dev.yaml", AFTER, "conf")
    (cause,) = diagnose(replace(FINE, source=source(newest=saved)))
    assert cause.code is CauseCode.NOT_BUILT
    assert "conf/dev.yaml, the newest save, can be in no image: web/.dockerignore leaves it out (conf)" in cause.message


def test_a_save_that_no_copy_takes() -> None:
    (cause,) = diagnose(replace(FINE, source=source(newest=SavedFile("notes.py", AFTER, carried=False))))
    assert "no instruction of the Dockerfile takes it" in cause.message


@pytest.mark.parametrize("carried", [True, None])
def test_a_save_that_may_be_in_the_image_is_no_cause_by_itself(carried: bool | None) -> None:
    assert codes(replace(FINE, source=source(newest=SavedFile("a.py", AFTER, carried=carried)))) == []


def test_an_old_save_that_is_left_out_is_no_cause() -> None:
    assert codes(replace(FINE, source=source(newest=SavedFile("notes", BEFORE - 1, "notes")))) == []


# not pushed ----------------------------------------------------------------------------------------------------------


def test_a_newer_image_here_than_in_the_registry() -> None:
    (cause,) = diagnose(facts(running("one", "a"), reference=made(here=local("c", created=AFTER))))
    assert (cause.code, cause.fix) == (CauseCode.NOT_PUSHED, f"docker push {DEV}")
    assert [found.digest for found in cause.evidence] == [digest("c"), digest("a")]


def test_a_newer_image_here_that_was_pushed_once() -> None:
    """The tag was moved back on purpose: to push what is here would undo that."""
    newer = made(here=local("c", created=AFTER))
    known = facts(running("one", "a"), reference=newer, known={digest("c"): in_registry("c").resolved})
    assert diagnose(known) == ()
    assert codes(replace(known, known={digest("c"): None})) == [CauseCode.NOT_PUSHED]
    runs = facts(running("one", "c"), reference=newer, known={digest("c"): None})
    assert CauseCode.NOT_PUSHED not in codes(runs)
    lost = replace(runs, references={DEV: replace(newer, registry=None)})
    assert CauseCode.NOT_PUSHED in codes(lost), "somebody loaded it into the node, and the registry has nothing at all"


def test_an_older_image_here_is_somebody_elses_push() -> None:
    assert codes(facts(running("one", "a"), reference=made(here=local("c", created=BEFORE - 1)))) == []


# pinned and reverted -------------------------------------------------------------------------------------------------


def pinned_to_digest(tag_holds: str) -> Facts:
    ref = f"{DEV}@{digest('a')}"
    template = Template((ContainerSpec("web", ref, "IfNotPresent"),))
    one = replace(running("one", "a"), specs=template.containers)
    return facts(one, template=template, references={ref: made(ref=ref, tag=in_registry(tag_holds))})


def test_a_digest_whose_tag_has_moved_on() -> None:
    (cause,) = diagnose(pinned_to_digest("c"))
    assert cause.code is CauseCode.PINNED
    assert cause.fix == f"kubectl set image deployment/web web={DEV}@{digest('c')} -n shop"
    assert diagnose(pinned_to_digest("a")) == ()
    own = replace(pinned_to_digest("c"), expected=ImageRef.parse(DEV), source=source())
    assert diagnose(own)[0].fix == "devloop up web --once"


OTHER = f"{REPOSITORY}:other"


def of_service(image: RegistryImage | Unread | None, found: Facts = FINE, ref: str = OTHER) -> Facts:
    """A service that pushes to that reference, under which the registry has this image."""
    own = Reference(ImageRef.parse(ref), image, None)
    return replace(found, expected=own.ref, source=source(), references={**found.references, ref: own})


@pytest.mark.parametrize("image", [in_registry("c"), Unread("the registry does not take the credentials")])
def test_another_tag_than_devloop_pushes_to(image: RegistryImage | Unread) -> None:
    """devloop takes it over, with a record of what was there: a `kubectl set image` could not be restored."""
    (cause,) = diagnose(of_service(image))
    assert (cause.code, cause.fix) == (CauseCode.PINNED, "devloop up web --once")
    assert f"asks for {DEV}, but devloop.toml pushes to {OTHER}" in cause.message


def test_a_service_for_which_devloop_has_not_run_yet() -> None:
    (cause,) = diagnose(of_service(None))
    assert (cause.code, cause.fix) == (CauseCode.NEVER_RUN, "devloop up web --once")
    assert f"devloop has not run yet for this service: the registry has no {OTHER}" in cause.message
    newer = replace(of_service(None), source=source(SavedFile("app.py", AFTER)))
    assert codes(newer) == [CauseCode.NEVER_RUN], "no file is newer than a build that never was"


def test_what_devloop_has_rolled_out_and_the_registry_lost_is_not_called_never_run() -> None:
    mark = BuildMark(digest("a"), STARTED, "1a2b").encode()
    marked = of_deployment(of_service(None), template=replace(IF_NOT_PRESENT, build=mark))
    (cause,) = diagnose(marked)
    assert (cause.code, cause.fix) == (CauseCode.PINNED, "devloop up web --once")


def test_what_a_session_has_pushed_and_the_registry_lost_is_not_called_never_run() -> None:
    pushed = replace(of_service(None), pushes=(Push(digest("c"), 1.0, 0.5, "verified"),))
    assert CauseCode.NEVER_RUN not in codes(pushed)
    assert CauseCode.PINNED in codes(pushed)


def test_what_was_only_not_pushed_is_told_as_that() -> None:
    own = facts(running("one", "a"), references={DEV: Reference(ImageRef.parse(DEV), None, local("c"))})
    assert codes(replace(own, expected=ImageRef.parse(DEV), source=source())) == [CauseCode.NOT_PUSHED, "unknown"]


def unpulled() -> Facts:
    """Its image cannot be pulled, so nothing runs."""
    state = Waiting("ImagePullBackOff", f'Back-off pulling image "{DEV}": not found')
    return facts(pod("new", ready=False, image="", state=state), known={})


def test_that_the_image_cannot_be_pulled_comes_before_that_it_would_be_another_one() -> None:
    first, second = diagnose(of_service(in_registry("c"), unpulled()))
    assert (first.code, first.reason, second.code) == (
        CauseCode.ROLLOUT_STUCK,
        FailureCode.IMAGE_PULL,
        CauseCode.PINNED,
    )
    assert codes(of_service(None, unpulled()))[0] == CauseCode.NEVER_RUN
    own = of_service(None, unpulled(), DEV)
    assert codes(own) == [CauseCode.NEVER_RUN, CauseCode.ROLLOUT_STUCK]


def test_a_newer_image_here_under_another_tag() -> None:
    other = LocalTag(ImageRef.parse(f"{REPOSITORY}:next"), digest("c"), AFTER)
    stock = facts(running("one", "a"), reference=made(here=local(), others=(other,)))
    assert diagnose(stock) == (), "nginx:1.27 that somebody pulled is no newer version of nginx:1.25"
    assert diagnose(replace(stock, pushes=(Push(digest("c"), 1.0, 0.5, "verified"),))) == (), "another image was pushed"
    (cause,) = diagnose(replace(stock, pushes=(Push(digest("a"), 1.0, 0.5, "verified"),)))
    assert (cause.code, cause.fix) == (
        CauseCode.PINNED,
        f"kubectl set image deployment/web web={REPOSITORY}:next -n shop",
    )
    own = replace(stock, expected=ImageRef.parse(DEV))
    assert diagnose(replace(own, source=source()))[0].fix == "devloop up web --once"
    (cause,) = diagnose(own)
    assert cause.code is CauseCode.PINNED
    assert f"what was built last on this machine is {REPOSITORY}:next" in cause.message
    same = replace(other, id=local().id)
    same_image = made(here=local(), others=(same,))
    assert diagnose(replace(own, references={DEV: same_image})) == ()


def reverted(**metadata: Any) -> Facts:
    record = Original(BEFORE).with_field("web", "imagePullPolicy", Written("IfNotPresent", "Always")).encode()
    fields: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:imagePullPolicy": {}}}}}}
    }
    writer = Manager("helm", "Update", AFTER, "", fields)
    return of_deployment(FINE, annotations={ORIGINAL: record, **metadata.get("annotations", {})}, managers=(writer,),
                         labels=metadata.get("labels", {}))  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "who", "fix"),
    [
        ({}, "helm set the pull policy of container web back to IfNotPresent", "agree with who did it"),
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "helm (Helm release shop) set", "helm upgrade shop"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD application shop", "argocd app set shop"),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
            "Flux kustomization apps",
            "flux suspend kustomization apps -n shop",
        ),
    ],
)  # fmt: skip
def test_what_somebody_set_back(metadata: dict[str, Any], who: str, fix: str) -> None:
    (cause,) = diagnose(reverted(**metadata))
    assert cause.code is CauseCode.REVERTED
    assert who in cause.message
    assert fix in cause.fix
    assert [(found.source, found.time) for found in cause.evidence][1] == ("managedFields of deployment/web", AFTER)


# paused and stuck ----------------------------------------------------------------------------------------------------

OLD_REVISION = revision("web-old", number=1, template=replace(IF_NOT_PRESENT, build="old"))
NEW_REVISION = revision(number=2, template=IF_NOT_PRESENT, replicas=0)


def unfinished(*new: Pod, **changes: Any) -> Facts:
    """An old Pod that serves, and a newest revision that is not there yet."""
    old = pod("old", "web-old", image="b", policy="IfNotPresent")
    scene = snapshot(old, *new, revisions=(NEW_REVISION, OLD_REVISION), template=IF_NOT_PRESENT, **changes)
    return facts(template=IF_NOT_PRESENT, scene=scene, revisions=(NEW_REVISION, OLD_REVISION))


def test_one_answer_counts_the_pods_of_a_revision_in_one_way() -> None:
    """A ReplicaSet in the middle of a rollout has fewer Pods than are wanted."""
    found = unfinished(crashing(), replicas=2)
    (cause,) = causes = diagnose(found)
    (reading,) = (each for each in chain(found, causes) if each.link is Link.REVISION)
    assert reading.text == "web-new is the newest, 0 of 2 Pods ready, made"
    assert [each.text for each in cause.evidence if each.source == "revision web-new"] == ["0 of 2 Pods ready, made"]


def test_a_paused_rollout() -> None:
    (cause,) = diagnose(unfinished(paused=True))
    assert (cause.code, cause.fix) == (CauseCode.PAUSED, "kubectl rollout resume deployment/web -n shop")
    assert "old still runs the old one" in cause.message


def test_paused_and_all_the_same_complete() -> None:
    assert codes(of_deployment(FINE, paused=True)) == []


def test_a_set_that_waits_for_somebody_to_delete_its_pods() -> None:
    (cause,) = diagnose(unfinished(strategy="OnDelete"))
    assert (cause.code, cause.fix) == (CauseCode.PAUSED, "kubectl delete pod old -n shop")
    partitioned = unfinished(raw={"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}})
    assert '"partition":0' in diagnose(partitioned)[0].fix


def crashing() -> Pod:
    ended = Terminated(3, finished_at=STARTED)
    return pod("new", ready=False, image="a", policy="IfNotPresent", restarts=4, last=ended,
               state=Waiting("CrashLoopBackOff"))  # fmt: skip


def test_a_crash_loop_in_the_loops_own_words() -> None:
    found = replace(
        unfinished(crashing()),
        logs={ContainerRef("new", "web"): ("starting", "KeyError: 'PORT'"), ContainerRef("new", "web", True): ()},
    )
    (cause,) = diagnose(found)
    assert (cause.code, cause.reason) == (CauseCode.ROLLOUT_STUCK, FailureCode.CRASH)
    assert cause.message.startswith("the newest Pods of deployment/web are not ready, so the old Pods still serve: ")
    assert cause.message.endswith("container web of Pod new ended with exit code 3, 5 times: KeyError: 'PORT'")


@pytest.mark.parametrize(
    "changes",
    [{"strategy": "OnDelete"}, {"raw": {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}}],
)
def test_a_canary_that_crashes_is_not_let_go_on(changes: dict[str, Any]) -> None:
    (cause,) = diagnose(unfinished(crashing(), **changes))
    assert (cause.code, cause.reason) == (CauseCode.ROLLOUT_STUCK, FailureCode.CRASH)


def test_some_of_the_newest_pods_serve() -> None:
    ready = (running("one", "a"), running("two", "a"))
    own = (revision(template=IF_NOT_PRESENT, replicas=3),)
    scene = snapshot(*ready, crashing(), revisions=own, template=IF_NOT_PRESENT, replicas=3)
    (cause,) = diagnose(facts(scene=scene, revisions=own))
    assert "not all of the newest Pods of deployment/web are ready, and only 2 of 3 serve: " in cause.message


def test_a_finished_init_container_that_was_restarted_long_ago() -> None:
    """It stays terminated for good, and says nothing of the container that crashed in the past."""
    crashed = replace(running("one", "a"), containers=())
    main = replace(running("one", "a").containers[0], restarts=4, last=Terminated(3, finished_at=STARTED - 1))
    init = ContainerStatus("setup", True, "", True, 0, Terminated(0, finished_at=STARTED - 50))
    unprobed = {"spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}
    found = of_deployment(facts(replace(crashed, containers=(init, main))), raw=unprobed)
    assert diagnose(found) == ()


def test_a_rollout_that_still_goes_on() -> None:
    (cause,) = diagnose(unfinished(pod("new", ready=False, image="")))
    assert cause.code is CauseCode.ROLLOUT_STUCK
    assert "is still going on: 0 of 1 new Pods ready" in cause.message


def test_a_controller_that_does_not_look() -> None:
    (cause,) = diagnose(unfinished(generation=7))
    assert cause.code is CauseCode.ROLLOUT_STUCK
    assert "the deployment controller has not seen the newest change" in cause.message


def test_crashes_between_which_a_container_without_a_probe_looks_ready() -> None:
    ended = Terminated(3, finished_at=NOW - 10)
    again = replace(crashing(), ready=True)
    state = replace(
        again.containers[0], ready=True, state=running("x", "a", at=NOW - 5).containers[0].state, last=ended
    )
    unprobed = {"spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}
    found = of_deployment(facts(replace(again, containers=(state,))), raw=unprobed)
    (cause,) = diagnose(found)
    assert (cause.code, cause.reason) == (CauseCode.ROLLOUT_STUCK, FailureCode.CRASH)
    calm = replace(found, now=NOW + 10_000)
    assert diagnose(calm) == (), "that was long ago"


# around --------------------------------------------------------------------------------------------------------------


def test_a_service_that_also_serves_another_workload() -> None:
    route = Route("web", {"blue-1": "deployment/blue"}, {"blue-1": frozenset({digest("b")})})
    (cause,) = diagnose(replace(FINE, routes=(route,)))
    assert cause.code is CauseCode.OTHER_PODS
    assert "Service web sends requests to 1 Pod of deployment/blue too" in cause.message
    same = replace(route, images={"blue-1": frozenset({digest("a")})})
    assert diagnose(replace(FINE, routes=(same,))) == ()
    assert diagnose(replace(FINE, routes=Unread("denied"))) == ()


def test_one_image_may_be_reported_by_several_digests() -> None:
    config = next(iter(resolved("a").configs))
    route = Route("web", {"blue-1": "deployment/blue"}, {"blue-1": frozenset({config})})
    assert diagnose(replace(FINE, routes=(route,))) == ()


def test_a_meshs_sidecar_behind_a_shared_service_is_no_other_image() -> None:
    """Admission put it into the Pods of both workloads; the template of neither has it."""
    mine = running("one", "a")
    proxy = replace(mine.containers[0], name="proxy", image_id=f"registry/proxy@{digest('e')}")
    meshed = facts(replace(mine, containers=(*mine.containers, proxy)), reference=made(in_registry()))
    route = Route("web", {"blue-1": "deployment/blue"}, {"blue-1": frozenset({digest("a"), digest("e")})})
    assert diagnose(replace(meshed, routes=(route,))) == ()
    other = replace(route, images={"blue-1": frozenset({digest("b"), digest("e")})})
    assert [cause.code for cause in diagnose(replace(meshed, routes=(other,)))] == [CauseCode.OTHER_PODS]


def mounting(path: str, kind: str = "emptyDir", **image: Any) -> Facts:
    spec = {
        "volumes": [{"name": "code", kind: {}}],
        "containers": [{"name": "web", "volumeMounts": [{"name": "code", "mountPath": path}], "readinessProbe": {}}],
    }
    found = facts(running("one", "a"), reference=made(in_registry(copies=("/app/server.py",), **image)))
    return of_deployment(found, raw={"spec": {"template": {"spec": spec}, "minReadySeconds": 1}})


@pytest.mark.parametrize(
    ("found", "shadows"),
    [
        (mounting("/app"), True),
        (mounting("/app/"), True),
        (mounting("/app/server.py"), True),
        (mounting("/app/data"), False),
        (mounting("/ap"), False),
        (mounting("/app", "configMap"), False),
        (mounting("/app", volumes=("/app",)), False),
    ],
)
def test_a_volume_over_the_code(found: Facts, shadows: bool) -> None:
    assert codes(found) == ([CauseCode.SHADOWED] if shadows else [])


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp/", "/run", "/var/run", "/dev/shm"])
def test_a_volume_over_a_folder_for_what_is_written_hides_no_code(folder: str) -> None:
    found = mounting(folder)
    copied = made(in_registry(copies=(f"{folder.rstrip('/')}/requirements.txt", "/app")))
    assert diagnose(replace(found, references={DEV: copied})) == ()


def test_the_same_content_is_no_fault() -> None:
    pushes = (Push(digest("a"), 1.0, 0.5, "verified"), Push(digest("a"), 2.0, 1.5, "unchanged"))
    causes = diagnose(replace(FINE, pushes=pushes))
    assert [cause.code for cause in causes] == [CauseCode.SAME_CONTENT]
    assert exit_code(causes) is ExitCode.DONE
    assert diagnose(replace(FINE, pushes=pushes[:1])) == ()
    assert diagnose(replace(FINE, pushes=(replace(pushes[0], digest=digest("c")), pushes[0]))) == ()


# order, chain and exit code ------------------------------------------------------------------------------------------


def test_the_cause_that_explains_most_comes_first() -> None:
    pods = (running("one", "b", at=STARTED + 5), running("two", "a", node="node2"))
    found = replace(facts(*pods), source=source(SavedFile("app.py", AFTER)))
    causes = diagnose(found)
    assert [cause.code for cause in causes] == [CauseCode.NOT_BUILT, CauseCode.NODE_CACHE]
    assert exit_code(causes) is ExitCode.UNPROVEN


def test_the_chain_shows_what_was_read_and_where_it_breaks() -> None:
    found = facts(running("one", "b"), reference=made(here=Unread("no engine here")), source=Unread("no file"))
    readings = chain(found, diagnose(found))
    assert [(r.link, r.holds) for r in readings] == [
        (Link.SOURCE, Holds.UNREAD),
        (Link.LOCAL, Holds.UNREAD),
        (Link.REGISTRY, Holds.YES),
        (Link.SPEC, Holds.YES),
        (Link.REVISION, Holds.YES),
        (Link.CONTAINER, Holds.NO),
    ]
    assert first_broken(readings) is Link.CONTAINER


def test_a_link_breaks_where_its_cause_stands() -> None:
    for code, found in {
        CauseCode.PINNED: replace(FINE, expected=ImageRef.parse(f"{REPOSITORY}:other")),
        CauseCode.NOT_PUSHED: facts(running("one", "a"), reference=made(here=local("c", created=AFTER))),
        CauseCode.NOT_BUILT: replace(FINE, source=source(SavedFile("app.py", AFTER))),
        CauseCode.PAUSED: unfinished(paused=True),
    }.items():
        causes = diagnose(found)
        assert [cause.code for cause in causes] == [code]
        assert first_broken(chain(found, causes)) is LINKS[code]


def test_every_cause_but_the_harmless_ones_breaks_a_link() -> None:
    assert set(CauseCode) - LINKS.keys() == {CauseCode.RESTORED, CauseCode.SAME_CONTENT, CauseCode.UNKNOWN}


def test_a_workload_that_is_gone_has_no_chain() -> None:
    gone = replace(FINE, snapshot=replace(FINE.snapshot, deployment=None))
    assert (diagnose(gone), chain(gone, ())) == ((), ())
