"""The proof by digest, and whether a workload needs anything at all."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from devloop.core.events import Verdict
from devloop.core.failure import FailureCode
from devloop.core.image import ImageRef, PlatformManifest, PushedImage, ResolvedImage, digest_of
from devloop.core.patch import BuildMark
from devloop.core.proof import where_each_is_known, where_known
from devloop.core.pulls import go_seconds
from devloop.core.service import Pin
from devloop.core.verify import PodVerdict, is_ours, judge, unchanged, unresolved, verify
from devloop.core.workload import ContainerSpec, Pod, Running, Snapshot, Template
from tests.core.test_manifest import snapshot as recorded
from tests.core.workloads import DEV, TEMPLATE, digest, event, pod, pushed, resolved, revision, snapshot

A, B = resolved("a"), resolved("b")
CONFIG_A = next(iter(A.configs))
AMD_AND_ARM = ResolvedImage(
    digest("1"),
    (
        PlatformManifest("linux/amd64", digest("2"), digest("3")),
        PlatformManifest("linux/arm64", digest("4"), digest("5")),
    ),
)


def verdict(
    found: Pod,
    image: ResolvedImage = A,
    known: Mapping[str, ResolvedImage | None] | None = None,
    *earlier: ResolvedImage,
) -> PodVerdict:
    (result,) = verify(snapshot(found), revision(), ("web",), image, known or {}, earlier)
    return result


def reports(image_id: str) -> Pod:
    return pod(image_id=image_id)


@pytest.mark.parametrize(
    "image_id",
    [
        f"localhost:5001/shop/web@{digest('a')}",
        f"docker-pullable://localhost:5001/shop/web@{digest('a')}",
        CONFIG_A,
        f"docker://{CONFIG_A}",
    ],
)
def test_a_digest_of_the_set_is_a_match(image_id: str) -> None:
    found = verdict(reports(image_id))
    assert (found.verdict, found.text, found.image_id) == (Verdict.MATCH, "", image_id)


@pytest.mark.parametrize(
    ("image", "known", "expected"),
    [
        (A, {}, Verdict.UNKNOWN),
        (A, {digest("b"): None}, Verdict.UNKNOWN),
        (A, {digest("b"): B}, Verdict.MISMATCH),
        (A, {digest("b"): resolved("b", config=CONFIG_A)}, Verdict.MATCH),
        (A, {digest("b"): ResolvedImage(digest("b"), ())}, Verdict.UNKNOWN),
        (A, {digest("b"): resolved("b", config="", platform="")}, Verdict.MISMATCH),
        (
            A,
            {digest("b"): ResolvedImage(digest("b"), (PlatformManifest("", digest("b"), ""),))},
            Verdict.UNKNOWN,
        ),
        # An index of another tag: the platform that both have decides.
        (
            ResolvedImage(digest("2"), (PlatformManifest("linux/amd64", digest("2"), digest("3")),)),
            {digest("b"): replace(AMD_AND_ARM, digest=digest("b"))},
            Verdict.MATCH,
        ),
        # Two indexes that share one platform and not the other: nobody says which one the node runs.
        (
            AMD_AND_ARM,
            {
                digest("b"): ResolvedImage(
                    digest("b"),
                    (
                        PlatformManifest("linux/amd64", digest("6"), digest("3")),
                        PlatformManifest("linux/arm64", digest("7"), digest("8")),
                    ),
                )
            },
            Verdict.UNKNOWN,
        ),
        (AMD_AND_ARM, {digest("b"): resolved("b", config=digest("5"), platform="linux/arm64")}, Verdict.MATCH),
    ],
)
def test_a_digest_outside_the_set(
    image: ResolvedImage, known: Mapping[str, ResolvedImage | None], expected: Verdict
) -> None:
    found = verdict(pod(image="b"), image, known)
    assert found.verdict is expected
    assert found.text


def test_what_was_pushed_earlier_needs_no_registry() -> None:
    found = verdict(pod(image="b"), A, {}, B)
    assert found.verdict is Verdict.MISMATCH
    assert "(pushed earlier in this session)" in found.text
    loaded = verdict(reports(next(iter(B.configs))), A, {}, B)
    assert loaded.verdict is Verdict.MISMATCH


def test_no_digest_proves_nothing() -> None:
    assert verdict(pod(image="")).verdict is Verdict.UNKNOWN
    (missing,) = verify(snapshot(), revision(), ("other",), A, {})
    assert missing.verdict is Verdict.UNKNOWN


def test_only_ready_pods_of_the_revision_are_asked() -> None:
    picture = snapshot(
        pod(),
        pod("web-new-2", ready=False),
        replace(pod("web-new-3"), deleted=1.0),
        pod("web-old-1", "web-old", image="b"),
    )
    assert [v.pod for v in verify(picture, revision(), ("web",), A, {})] == ["web-new-1"]
    assert unresolved(picture, revision(), ("web",), A, {}) == frozenset()


def test_every_container_of_a_recorded_workload_gets_a_verdict_and_its_cost() -> None:
    picture = recorded("healthy")
    busybox = "sha256:ad9cef8f47fb75add277c5df88822321300a766e5857b453b87277afc800b745"
    image = ResolvedImage(busybox, ())
    found = verify(picture, picture.revisions[0], ("migrate", "web"), image, {})
    assert {(v.node, v.container, v.verdict, v.pull_seconds) for v in found} == {
        ("node1", "migrate", Verdict.MATCH, 0.019),
        ("node1", "web", Verdict.MATCH, 0.0),
        ("node2", "migrate", Verdict.MATCH, 0.037),
        ("node2", "web", Verdict.MATCH, 0.0),
    }
    assert judge(found) is None
    (asked,) = unresolved(picture, picture.revisions[0], ("web",), A, {})
    assert digest_of(asked) == busybox
    assert unresolved(picture, picture.revisions[0], ("web",), A, {busybox: None}) == frozenset()


@pytest.mark.parametrize(
    ("image_id", "also"),
    [
        (f"registry.in:5000/shop/web@{B.digest}", []),
        (f"registry.in:5000/shop/api@{B.digest}", ["localhost:5001/shop/api"]),
        (f"docker-pullable://registry.in:5000/shop/api@{B.digest}", ["localhost:5001/shop/api"]),
        (f"docker.io/library/busybox@{B.digest}", []),
        (f"localhost:5001/shop/api@{B.digest}", []),
        (B.digest, []),
        (f"docker://{B.digest}", []),
    ],
)
def test_what_a_node_names_is_looked_for_in_the_registry_that_the_pods_pull_from(
    image_id: str, also: list[str]
) -> None:
    pushed_to, pulled_from = (
        ImageRef.parse("localhost:5001/shop/web:dev"),
        ImageRef.parse("registry.in:5000/shop/web:dev"),
    )
    places = where_known(image_id, pushed_to, pulled_from)
    assert [str(p) for p in places] == [f"{name}@{B.digest}" for name in ["localhost:5001/shop/web", *also]]


def test_a_digest_that_nodes_name_differently_is_looked_for_under_every_name() -> None:
    own = ImageRef.parse("localhost:5001/shop/web:dev")
    names = ["localhost:5001/shop/api", "localhost:5001/shop/jobs"]
    found = where_each_is_known((f"{name}@{B.digest}", own, own) for name in names)
    assert {digest: [ref.name for ref in refs] for digest, refs in found.items()} == {B.digest: [own.name, *names]}


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ('Successfully pulled image "x" in 1.5s (2.25s including waiting). Image size: 1 bytes.', 2.25),
        ('Successfully pulled image "x" in 1m2.5s (1m2.5s including waiting)', 62.5),
        ('Successfully pulled image "x" in 350ms', 0.35),
        ('Container image "x" already present on machine', 0.0),
        ("Pulled something in another way", None),
    ],
)
def test_what_a_pull_cost(message: str, seconds: float | None) -> None:
    found = pod()
    picture = snapshot(
        found, events=(event(found, "Pulled", message), event(found, "Pulled", "in 9s", "sidecar", last=2.0))
    )
    assert verify(picture, revision(), ("web",), A, {})[0].pull_seconds == seconds
    assert verify(snapshot(found), revision(), ("web",), A, {})[0].pull_seconds is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h2m3s", 3723.0), ("37ms", 0.037), ("500µs", 0.0005), ("0s", 0.0), ("", None), ("1x", None), ("s", None)],
)
def test_go_durations(text: str, seconds: float | None) -> None:
    assert go_seconds(text) == (seconds if seconds is None else pytest.approx(seconds))


NEVER = replace(TEMPLATE, containers=(ContainerSpec("web", DEV, "IfNotPresent"),))


@pytest.mark.parametrize(
    ("found", "template", "words"),
    [
        (
            pod(image="b"),
            TEMPLATE,
            "the registry was asked from node1, and a mirror or a cache in between answered with an old image",
        ),
        (pod(image="b", restarts=1, state=Running(9.0)), TEMPLATE, "it was restarted on node1 and pulled"),
        (
            pod(image="b", policy="IfNotPresent"),
            TEMPLATE,
            "admission set its pull policy to IfNotPresent, although the workload asks for Always",
        ),
        (pod(image="b", policy="IfNotPresent"), NEVER, "under IfNotPresent the copy that node1 already had was used"),
        (
            replace(pod(image="b"), specs=(ContainerSpec("web", "mirror/web:dev", "Always"),)),
            TEMPLATE,
            "the Pod asks for mirror/web:dev although the workload asks for localhost:5001/shop/web:dev",
        ),
        (replace(pod(image="b"), specs=()), TEMPLATE, "node1 does not say where it took it from"),
    ],
)
def test_why_a_pod_runs_another_image(found: Pod, template: Template, words: str) -> None:
    owner = replace(revision(), template=template)
    (result,) = verify(snapshot(found), owner, ("web",), A, {digest("b"): B})
    assert result.verdict is Verdict.MISMATCH
    assert result.text.startswith("runs bbbbbbbbbbbb, not the pushed aaaaaaaaaaaa: ")
    assert words in result.text


def test_a_match_says_what_may_make_its_next_start_stale() -> None:
    changed = verdict(pod(image="a", policy="IfNotPresent"))
    assert changed.verdict is Verdict.MATCH
    assert "admission set its pull policy to IfNotPresent, although the workload asks for Always" in changed.text
    (asked,) = verify(
        snapshot(pod(image="a", policy="IfNotPresent")), replace(revision(), template=NEVER), ("web",), A, {}
    )
    assert asked.text == ""


def verdicts(*kinds: Verdict) -> list[PodVerdict]:
    return [PodVerdict(f"web-{n}", "node1", "web", "", kind, None, "runs b", "do x") for n, kind in enumerate(kinds)]


M, X, U = Verdict.MATCH, Verdict.MISMATCH, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("kinds", "code", "message"),
    [
        ((M, M), None, ""),
        ((M, X, X, X, U), FailureCode.MISMATCH, "container web of Pod web-1 on node1 runs b (2 more Pods likewise)"),
        ((M, U), FailureCode.UNPROVEN, "container web of Pod web-1 on node1 runs b"),
        ((), FailureCode.UNPROVEN, "no Pod is ready, so nothing proves which image runs"),
    ],
)
def test_the_judgement(kinds: tuple[Verdict, ...], code: FailureCode | None, message: str) -> None:
    failure = judge(verdicts(*kinds))
    assert (failure.code if failure else None) is code
    assert failure is None or (failure.message == message and failure.hint)


def test_digests_of_this_session() -> None:
    assert is_ours(digest("b"), [A, B])
    assert not is_ours(digest("c"), [A, B])


def why(picture: Snapshot, pin: Pin = Pin.TAG, image: PushedImage | None = None) -> str:
    return unchanged(picture, ("web",), image or pushed("a"), pin, {digest("b"): B})


def test_nothing_has_to_be_done() -> None:
    assert why(snapshot()) == ""
    assert why(snapshot(replicas=0)) == ""
    assert why(snapshot(paused=True)) == ""


def test_pinned_by_digest_the_policy_may_be_any() -> None:
    ref = f"{DEV}@{digest('a')}"
    template = replace(TEMPLATE, containers=(ContainerSpec("web", ref, "IfNotPresent"),))
    found = replace(pod(policy="IfNotPresent"), specs=template.containers)
    picture = snapshot(found, template=template, revisions=(revision(template=template),))
    assert why(picture, Pin.DIGEST) == ""
    assert why(picture).startswith(f"image of container web is {ref}, not {DEV}, pull policy of container web is")


def test_pods_whose_template_names_another_image_run_what_they_were_told_to() -> None:
    """No cache and no mirror is at fault for that."""
    template = replace(TEMPLATE, containers=(ContainerSpec("web", "busybox:1", "Always"),))
    found = replace(pod(), specs=template.containers)
    picture = snapshot(found, template=template, revisions=(revision(template=template),))
    assert why(picture, image=pushed("b")) == f"image of container web is busybox:1, not {DEV}"


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (Snapshot(snapshot().key, None), "deployment/web does not exist"),
        (
            snapshot(template=NEVER, revisions=(revision(template=NEVER),)),
            "pull policy of container web is IfNotPresent",
        ),
        (
            snapshot(pod(image="b", policy="IfNotPresent"), template=NEVER, revisions=(revision(template=NEVER),)),
            "container web of Pod web-new-1 on node1 runs bbbbbbbbbbbb, not the pushed aaaaaaaaaaaa: "
            "under IfNotPresent the copy that node1 already had was used, without asking the registry, "
            "and pull policy of container web is IfNotPresent",
        ),
        (snapshot(observed_generation=0), "its rollout is not complete"),
        (snapshot(pod(ready=False)), "its rollout is not complete"),
        (snapshot(pod(policy="IfNotPresent")), "pull policy of container web of Pod web-new-1 is IfNotPresent"),
        (
            snapshot(pod(image="c")),
            "container web of Pod web-new-1 on node1 reports cccccccccccc, which is none of the pushed digests, "
            "and the registry does not have it, or may not be asked",
        ),
    ],
)
def test_why_a_patch_is_needed(picture: Snapshot, reason: str) -> None:
    assert why(picture) == reason


LOADED = BuildMark(digest("a"), 1.0, "s1", loaded_as=DEV, loaded_into="the kind cluster `e2e`").encode()


@pytest.mark.parametrize(
    ("known", "expected", "text"),
    [
        ({digest("b"): None}, Verdict.UNKNOWN, "none of the digests of what was loaded into the kind cluster `e2e`"),
        ({digest("b"): B}, Verdict.MISMATCH, "not the loaded aaaaaaaaaaaa: node1 has another image under"),
    ],
)
def test_of_a_loaded_image_no_registry_is_spoken_of(
    known: Mapping[str, ResolvedImage | None], expected: Verdict, text: str
) -> None:
    found = snapshot(pod(image="b", policy="IfNotPresent"))
    template = replace(TEMPLATE, containers=(ContainerSpec("web", DEV, "IfNotPresent"),), build=LOADED)
    (told,) = verify(found, revision(template=template), ("web",), A, known)
    assert told.verdict is expected
    assert text in told.text
    assert "registry" not in told.text + told.hint
    assert "pin" not in told.hint
