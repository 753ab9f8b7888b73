"""What Pods run beside what their references mean: which way they went stale."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.failure import ExitCode
from devloop.core.image import PlatformManifest, ResolvedImage
from devloop.core.patch import BuildMark
from devloop.core.why.cause import CauseCode
from devloop.core.why.diagnosis import diagnose, exit_code
from devloop.core.why.facts import Facts, Unread
from devloop.core.workload import ContainerSpec, ContainerStatus, Pod, Running, Template
from tests.core.why.scenes import (
    AFTER,
    ALWAYS,
    BEFORE,
    IF_NOT_PRESENT,
    STARTED,
    facts,
    in_registry,
    local,
    reference,
    running,
)
from tests.core.workloads import DEV, REPOSITORY, digest, event, resolved, revision, snapshot

PRESENT = f'Container image "{DEV}" already present on machine and can be accessed by the pod'
PULLED = f'Successfully pulled image "{DEV}" in 20ms (20ms including waiting). Image size: 100 bytes.'


def codes(found: Facts) -> list[str]:
    return [cause.code for cause in diagnose(found)]


def with_event(pods: tuple[Pod, ...], message: str, template: Template = IF_NOT_PRESENT, **more: Any) -> Facts:
    """The first of the Pods has such a `Pulled` Event."""
    made = facts(*pods, template=template, **more)
    return replace(made, snapshot=replace(made.snapshot, events=(event(pods[0], "Pulled", message, last=STARTED),)))


def test_the_newest_image_everywhere_is_no_cause() -> None:
    found = facts(running("one", "a"), running("two", "a", node="node2"))
    assert diagnose(found) == ()
    assert exit_code(diagnose(found)) is ExitCode.DONE


OLD_ONE = (running("one", "b"),)
ONE_OF_TWO = (running("one", "b", at=STARTED + 5), running("two", "a", node="node2"))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (with_event(OLD_ONE, PRESENT), CauseCode.NODE_CACHE),
        (facts(*OLD_ONE), CauseCode.NODE_CACHE),  # the Event has expired: the policy tells
        (facts(*ONE_OF_TWO), CauseCode.NODE_CACHE),
        (with_event(OLD_ONE, PRESENT, reference=reference(in_registry(created=AFTER), local())), "template-unchanged"),
        (facts(*OLD_ONE, reference=reference(in_registry(created=AFTER), local())), CauseCode.TEMPLATE_UNCHANGED),
        (facts(*OLD_ONE, reference=reference(in_registry(), local(tagged=AFTER))), CauseCode.TEMPLATE_UNCHANGED),
        (facts(*OLD_ONE, reference=reference(in_registry(created=AFTER))), CauseCode.TAG_MOVED),
        (facts(*OLD_ONE, reference=reference(in_registry(created=AFTER), local("c"))), CauseCode.TAG_MOVED),
        (with_event(OLD_ONE, PULLED), CauseCode.TAG_MOVED),  # it asked, and was given what the tag meant then
    ],
)
def test_under_if_not_present(found: Facts, code: str) -> None:
    assert codes(found) == [code]


def always(image: str, name: str = "one", node: str = "node1", at: float = STARTED) -> Pod:
    return running(name, image, node=node, policy="Always", at=at)


MARKED = replace(ALWAYS, build=BuildMark(digest("a"), BEFORE, "session").encode())


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (facts(always("b", at=STARTED + 5), always("a", "two", "node2"), template=ALWAYS), CauseCode.REGISTRY_STALE),
        (facts(always("b"), template=MARKED), CauseCode.REGISTRY_STALE),
        (facts(always("b"), template=ALWAYS), CauseCode.TAG_MOVED),
        (facts(always("b"), template=ALWAYS, reference=reference(here=local())), CauseCode.TEMPLATE_UNCHANGED),
        # The one that runs the newest image was started later: the tag may have moved between.
        (facts(always("b"), always("a", "two", at=STARTED + 5), template=ALWAYS), CauseCode.TAG_MOVED),
    ],
)
def test_under_always(found: Facts, code: str) -> None:
    assert codes(found) == [code]


def test_a_tag_that_was_moved_to_a_newer_image_and_back() -> None:
    """The stale one was given what the tag meant at its start, by nobody's mistake."""
    pods = (always("b", at=STARTED + 5), always("a", "two", "node2"))
    found = facts(*pods, template=ALWAYS, created={digest("b"): BEFORE + 50})
    assert codes(found) == [CauseCode.TAG_MOVED]
    assert codes(replace(found, created={digest("b"): BEFORE - 50})) == [CauseCode.REGISTRY_STALE]


def test_a_policy_that_admission_changed_is_named_before_what_it_led_to() -> None:
    (cause,) = diagnose(facts(running("one", "b"), template=ALWAYS))
    assert cause.code is CauseCode.POLICY_MUTATED
    assert "admission set its pull policy to IfNotPresent, although the workload asks for Always" in cause.message
    assert "mutatingadmissionpolicies" in cause.fix


def test_an_image_that_admission_changed() -> None:
    changed = replace(running("one", "b"), specs=(ContainerSpec("web", "mirror/web:dev", "IfNotPresent"),))
    (cause,) = diagnose(facts(changed))
    assert cause.code is CauseCode.POLICY_MUTATED
    assert f"the Pod asks for mirror/web:dev although the workload asks for {DEV}" in cause.message


def test_one_stale_pod_of_two_is_told_with_its_node_and_beside_the_new_one() -> None:
    (cause,) = diagnose(facts(*ONE_OF_TWO))
    assert cause.pods == ("one",)
    assert cause.message.startswith(f"Pod one on node1 (1 of 2 Pods) runs an old image of {DEV}: ")
    told = [(found.source, found.digest) for found in cause.evidence]
    assert told == [
        ("registry", digest("a")),
        ("Pod one, container web on node1", digest("b")),
        ("Pod two, container web on node2", digest("a")),
    ]


def test_all_stale_pods_make_one_cause() -> None:
    (cause,) = diagnose(facts(running("one", "b"), running("two", "b", node="node2"), running("three", "b")))
    assert cause.pods == ()
    assert cause.message.startswith("all 3 Pods of deployment/web (node1, node2) run an old image of ")
    assert "the copy that node1 and node2 already had was used" in cause.message


@pytest.mark.parametrize(
    ("found", "fix"),
    [
        (facts(*OLD_ONE), """kubectl patch deployment/web -n shop -p '{"spec":{"template":{"spec":{"containers":"""),
        (facts(always("b"), template=ALWAYS), "kubectl rollout restart deployment/web -n shop"),
        (facts(always("b"), template=MARKED), f"kubectl set image deployment/web web={DEV}@{digest('a')} -n shop"),
    ],
)
def test_the_command_that_mends_it(found: Facts, fix: str) -> None:
    assert fix in diagnose(found)[0].fix


def test_under_on_delete_a_changed_template_makes_no_pods_by_itself() -> None:
    found = facts(*ONE_OF_TWO)
    assert found.snapshot.deployment is not None
    waiting = replace(found.snapshot, deployment=replace(found.snapshot.deployment, strategy="OnDelete"))
    assert diagnose(replace(found, snapshot=waiting))[0].fix.endswith("' && kubectl delete pod one two -n shop")
    assert "delete" not in diagnose(found)[0].fix


def two_containers(main: str, side: str, *, init: bool = False) -> Facts:
    specs = (ContainerSpec("web", DEV, "IfNotPresent"), ContainerSpec("side", DEV, "IfNotPresent", init))
    statuses = tuple(
        ContainerStatus(spec.name, spec.init, f"{REPOSITORY}@{digest(image)}", True, 0, Running(STARTED))
        for spec, image in zip(specs, (main, side), strict=True)
    )
    found = replace(running("one", main), containers=statuses, specs=specs)
    return facts(found, template=Template(tuple(sorted(specs, key=lambda spec: not spec.init))))


@pytest.mark.parametrize(("init", "kind"), [(False, "container"), (True, "init container")])
def test_a_stale_container_beside_a_new_main_one(init: bool, kind: str) -> None:
    (cause,) = diagnose(two_containers("a", "b", init=init))
    assert (cause.code, cause.reason) == (CauseCode.OTHER_CONTAINER, CauseCode.NODE_CACHE)
    assert cause.message.startswith(f"the main container is new, but {kind} side of Pod one runs an old image")
    assert ("initContainers" in cause.fix) == init


def test_a_stale_main_container_is_told_as_such() -> None:
    (cause,) = diagnose(two_containers("b", "a"))
    assert cause.code is CauseCode.NODE_CACHE


def test_another_platforms_manifest_of_the_same_index() -> None:
    manifests = tuple(
        PlatformManifest(f"linux/{arch}", digest(letter), digest(letter.upper().lower() * 1)[:-1] + "0")
        for arch, letter in (("amd64", "c"), ("arm64", "d"))
    )
    index = replace(in_registry(), resolved=ResolvedImage(digest("a"), manifests))
    found = facts(running("one", "d"), reference=reference(index), nodes={"node1": "linux/amd64"})
    (cause,) = diagnose(found)
    assert cause.code is CauseCode.OTHER_ARCHITECTURE
    assert "on node1, a linux/amd64 node, runs the linux/arm64 image" in cause.message
    assert diagnose(replace(found, nodes={"node1": "linux/arm64"})) == ()
    assert diagnose(replace(found, nodes=Unread("nodes may not be read here"))) == ()


def test_another_manifest_with_the_same_config_is_the_same_image() -> None:
    (config,) = resolved("a").configs
    other = ResolvedImage(digest("c"), (PlatformManifest("linux/amd64", digest("c"), config),))
    assert diagnose(facts(running("one", "c"), known={digest("c"): other})) == ()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (facts(running("one", "b"), reference=reference(Unread("the registry is away", "mend it"))), "is away"),
        (facts(running("one", "b"), known={digest("b"): None}), "does not tell what it is"),
    ],
)
def test_what_cannot_be_told_is_unknown(found: Facts, words: str) -> None:
    causes = diagnose(found)
    assert [cause.code for cause in causes] == [CauseCode.UNKNOWN]
    assert words in causes[0].message
    assert exit_code(causes) is ExitCode.UNREACHABLE


def test_a_tag_that_the_registry_lost() -> None:
    found = facts(running("one", "b"))
    lost = replace(found, references={DEV: replace(found.references[DEV], registry=None)})
    (cause,) = diagnose(lost)
    assert cause.code is CauseCode.UNKNOWN
    assert f"the registry has no {DEV}" in cause.message


def test_scaled_to_zero_runs_nothing() -> None:
    scene = snapshot(template=IF_NOT_PRESENT, replicas=0, updated_replicas=0, revisions=(revision(replicas=0),))
    (cause,) = diagnose(facts(scene=replace(scene, pods=())))
    assert (cause.code, exit_code((cause,))) == (CauseCode.UNKNOWN, ExitCode.UNREACHABLE)
    assert "is scaled to 0" in cause.message


def test_only_the_pod_that_was_asked_about_counts() -> None:
    found = facts(*ONE_OF_TWO)
    assert codes(replace(found, only="one")) == [CauseCode.NODE_CACHE]
    assert codes(replace(found, only="two")) == []
