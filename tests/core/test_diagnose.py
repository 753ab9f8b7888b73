"""Why a rollout does not get on: recorded causes, and tables of those that are hard to provoke."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from devloop.core.crash import exits
from devloop.core.diagnose import at_deadline, diagnose, duration, explain_crash
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ResolvedImage
from devloop.core.patch import BuildMark
from devloop.core.pull import unwrapped
from devloop.core.room import max_unavailable
from devloop.core.status import Broken, ContainerRef, Rolling, Trouble
from devloop.core.workload import ClusterEvent, Condition, ContainerStatus, Pod, Running, Snapshot, Terminated, Waiting
from tests.core.test_manifest import snapshot as recorded
from tests.core.workloads import DEV, TEMPLATE, container, deployment, event, pod, resolved, revision, snapshot

OLD = replace(TEMPLATE, build="older")
FAILED = Terminated(1, reason="Error")


def troubles(picture: Snapshot) -> tuple[Trouble, ...]:
    return diagnose(picture, picture.revisions[0])


def waiting(reason: str, message: str = "", **status: Any) -> Pod:
    return pod(ready=False, image="", state=Waiting(reason, message), **status)


@pytest.mark.parametrize(
    ("name", "code", "ends", "words"),
    [
        ("image_pull", FailureCode.IMAGE_PULL, True, "nothing-here:dev for container web: not found"),
        ("back_off", FailureCode.IMAGE_PULL, True, "connect: connection refused"),
        ("crash_loop", FailureCode.CRASH, True, "ended with exit code 3, 6 times"),
        ("crash_exited", FailureCode.CRASH, True, "ended with exit code 3, 4 times"),
        ("init_crash", FailureCode.CRASH, True, "init container migrate of Pod init-"),
        ("config_missing", FailureCode.CONTAINER_CONFIG, True, 'configmap "nowhere" not found'),
        ("mount_missing", FailureCode.CONTAINER_CONFIG, False, 'secret "nowhere" not found'),
        ("command_missing", FailureCode.CONTAINER_CONFIG, True, '"no-such-program": executable file not found'),
        ("not_ready", FailureCode.NOT_READY, False, "Readiness probe failed: cat: can't open '/ready'"),
        ("unschedulable", FailureCode.UNSCHEDULABLE, False, "0/2 nodes are available: 2 Insufficient cpu"),
        ("quota", FailureCode.REPLICAS_REFUSED, True, "the quota of namespace kub-quota refuses the new Pods"),
        ("refused", FailureCode.REPLICAS_REFUSED, True, 'violates PodSecurity "restricted:latest"'),
        ("no_surge_quota", FailureCode.NO_SURGE_ROOM, True, "no room for both: exceeded quota: tight"),
        ("no_surge_memory", FailureCode.NO_SURGE_ROOM, False, "1 Insufficient memory"),
        ("deadline", FailureCode.NOT_READY, False, "Readiness probe failed"),
    ],
)
def test_recorded_causes(name: str, code: FailureCode, ends: bool, words: str) -> None:
    found = troubles(recorded(name))[0]
    assert (found.failure.code, found.ends) == (code, ends)
    assert words in found.failure.message
    assert found.failure.hint


def test_the_progress_deadline_names_what_is_behind_it() -> None:
    late = troubles(recorded("deadline"))[-1]
    assert (late.failure.code, late.ends) == (FailureCode.PROGRESS_DEADLINE, True)
    assert late.failure.message.startswith("deployment/late made no progress for 3s: container web of Pod late-")


@pytest.mark.parametrize("name", ["healthy", "terminating", "scaled_to_zero", "rolling"])
def test_nothing_is_wrong(name: str) -> None:
    assert troubles(recorded(name)) == ()


def test_ready_and_terminating_pods_have_no_troubles() -> None:
    assert troubles(snapshot(pod(restarts=3, last=FAILED))) == ()
    assert troubles(snapshot(replace(waiting("CrashLoopBackOff", last=FAILED), deleted=1.0))) == ()


@pytest.mark.parametrize(
    ("reason", "message", "code", "ends", "hint"),
    [
        ("ErrImagePull", 'failed to do request: Head "https://r/": dial tcp: i/o timeout', "", False, "push_image"),
        ("ErrImagePull", "pull access denied, repository does not exist", "", True, "imagePullSecrets"),
        ("ErrImagePull", "server gave HTTP response to HTTPS client", "", True, "plain HTTP"),
        ("ErrImagePull", "x509: certificate signed by unknown authority", "", True, "CA"),
        ("ErrImagePull", "429 Too Many Requests: toomanyrequests", "", False, "limits"),
        ("ErrImagePull", "no match for platform in manifest", "wrong_architecture", True, "platform"),
        ("ImagePullBackOff", 'Back-off pulling image "x"', "", True, "kubectl describe pod web-new-1 -n shop"),
        ("InvalidImageName", "couldn't parse image name", "", True, "kubectl describe"),
        ("ErrImageNeverPull", "", "", True, "imagePullPolicy"),
    ],
)
def test_pull_errors(reason: str, message: str, code: str, ends: bool, hint: str) -> None:
    (found,) = troubles(snapshot(waiting(reason, message)))
    assert found.failure.code == (code or FailureCode.IMAGE_PULL)
    assert found.ends is ends
    assert hint in found.failure.hint


def test_a_back_off_that_does_not_say_why_takes_the_nodes_event() -> None:
    stuck = waiting("ImagePullBackOff", 'Back-off pulling image "x"')
    said = (
        event(stuck, "Failed", 'Failed to pull image "x": rpc error: code = Unknown desc = unexpected EOF'),
        event(stuck, "Failed", "Error: ErrImagePull"),
        event(stuck, "Failed", "Error: ImagePullBackOff"),
    )
    (found,) = troubles(snapshot(stuck, events=said))
    assert found.failure.message == "node1 cannot pull localhost:5001/shop/web:dev for container web: unexpected EOF"


def test_the_wrapping_of_a_pull_error() -> None:
    message = (
        'Failed to pull image "r/x:dev": rpc error: code = NotFound desc = failed to pull and unpack image "r/x:dev": '
        'failed to resolve reference "r/x:dev": r/x:dev: not found'
    )
    assert unwrapped(message) == "r/x:dev: not found"


@pytest.mark.parametrize(
    ("state", "restarts", "count"),
    [
        (Running(1.0), 0, 0),
        (FAILED, 0, 1),
        (Running(1.0), 1, 1),
        (Waiting("CrashLoopBackOff"), 0, 1),
        (FAILED, 1, 2),
        (Waiting("CrashLoopBackOff"), 1, 2),
        (Running(1.0), 2, 2),
        (Waiting("ContainerCreating"), 0, 0),
    ],
)
def test_how_often_a_container_has_ended(state: Running | Waiting | Terminated, restarts: int, count: int) -> None:
    assert exits(ContainerStatus("web", False, "", False, restarts, state)) == count


@pytest.mark.parametrize(
    ("status", "ends", "message"),
    [
        ({"state": FAILED}, False, "ended with exit code 1"),
        ({"state": Running(9.0), "restarts": 1, "last": FAILED}, False, "ended with exit code 1"),
        ({"state": FAILED, "restarts": 1, "last": FAILED}, True, "ended with exit code 1, twice"),
        ({"state": Terminated(0, reason="Completed")}, False, "ended by itself (exit code 0), but has to keep running"),
        ({"state": Terminated(139)}, False, "was ended by SIGSEGV (exit code 139)"),
        (
            {"state": Terminated(137, reason="OOMKilled")},
            False,
            "used more memory than it may and was killed (exit code 137, SIGKILL)",
        ),
        ({"state": Terminated(1, message="no config\n")}, False, "ended with exit code 1 (no config)"),
    ],
)
def test_crashes(status: Mapping[str, Any], ends: bool, message: str) -> None:
    (found,) = troubles(snapshot(pod(ready=False, **status)))
    assert found.failure == Failure(FailureCode.CRASH, f"container web of Pod web-new-1 {message}", found.failure.hint)
    assert found.ends is ends
    assert found.failure.hint


@pytest.mark.parametrize(
    ("status", "previous"),
    [
        ({"state": FAILED}, [False]),
        ({"state": Running(9.0), "restarts": 1, "last": FAILED}, [True]),
        ({"state": Waiting("CrashLoopBackOff"), "restarts": 1, "last": FAILED}, [False, True]),
    ],
)
def test_the_logs_that_explain_a_crash(status: Mapping[str, Any], previous: list[bool]) -> None:
    (found,) = troubles(snapshot(pod(ready=False, **status)))
    assert found.logs == tuple(ContainerRef("web-new-1", "web", before) for before in previous)


@pytest.mark.parametrize(
    ("status", "which"),
    [
        ({"state": FAILED}, ""),
        ({"state": FAILED, "restarts": 1, "last": FAILED}, ""),
        ({"state": Waiting("CrashLoopBackOff"), "restarts": 1, "last": FAILED}, ""),
        ({"state": Running(9.0), "restarts": 1, "last": FAILED}, " --previous"),
    ],
)
def test_the_command_that_shows_the_log_of_the_container_that_ended(status: Mapping[str, Any], which: str) -> None:
    """As kubelets answer (`tests/sandbox/test_conformance.py`): `--previous` of one that has ended is the one before,
    which is gone."""
    (found,) = troubles(snapshot(pod(ready=False, **status)))
    assert found.failure.hint == f"`kubectl logs web-new-1 -n shop -c web{which}` shows all it wrote"


def test_a_failed_liveness_probe_is_named() -> None:
    killed = pod(ready=False, state=Running(9.0), restarts=1, last=Terminated(137, reason="Error"))
    said = (
        event(killed, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        event(killed, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"),
        event(killed, "Killing", "Container web failed liveness probe, will be restarted"),
    )
    (found,) = troubles(snapshot(killed, events=said))
    assert "after its liveness probe had failed (HTTP probe failed with statuscode: 500)" in found.failure.message
    assert "startupProbe" in found.failure.hint


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
def test_a_command_that_cannot_be_started_ends_the_rollout(reason: str) -> None:
    stuck = pod(ready=False, state=Terminated(128, reason=reason, message='exec: "x": not found'))
    (found,) = troubles(snapshot(stuck))
    assert (found.failure.code, found.ends) == (FailureCode.CONTAINER_CONFIG, True)


def test_a_cause_is_told_once_for_all_pods() -> None:
    pods = [replace(pod(ready=False, state=FAILED), name=f"web-new-{n}", uid=str(n)) for n in range(3)]
    assert len(troubles(snapshot(*pods))) == 1


def test_what_ends_the_rollout_comes_first() -> None:
    first = pod(ready=False, state=Running(9.0), restarts=1, last=FAILED)
    second = replace(pod(ready=False, state=Waiting("ImagePullBackOff", "x")), name="web-new-2", uid="2")
    codes = [t.failure.code for t in troubles(snapshot(first, second))]
    assert codes == [FailureCode.IMAGE_PULL, FailureCode.CRASH]


@pytest.mark.parametrize(
    ("message", "ends"),
    [
        ('admission webhook "policy.example.com" denied the request: no latest tags', True),
        ('Internal error occurred: failed calling webhook "x": connection refused', False),
    ],
)
def test_pods_that_admission_refuses(message: str, ends: bool) -> None:
    refused = replace(revision(), conditions=(Condition("ReplicaFailure", "True", "FailedCreate", message),))
    (found,) = troubles(snapshot(revisions=(refused,)))
    assert (found.failure.code, found.ends) == (FailureCode.REPLICAS_REFUSED, ends)


def test_a_limit_range_does_not_say_its_name_so_the_hint_does() -> None:
    message = 'pods "web-new-x" is forbidden: maximum memory usage per Container is 32Mi, but limit is 64Mi'
    refused = replace(revision(), conditions=(Condition("ReplicaFailure", "True", "FailedCreate", message),))
    (found,) = troubles(snapshot(revisions=(refused,)))
    assert found.failure.message.endswith(": maximum memory usage per Container is 32Mi, but limit is 64Mi")
    assert "kubectl describe limitrange -n shop" in found.failure.hint


QUOTA = 'pods "web-new-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'


@pytest.mark.parametrize(
    ("replicas", "strategy", "ending", "code", "ends"),
    [
        (1, ("25%", "25%"), False, FailureCode.NO_SURGE_ROOM, True),
        (1, ("25%", "25%"), True, FailureCode.NO_SURGE_ROOM, False),
        (1, ("0", "1"), True, FailureCode.REPLICAS_REFUSED, False),
        (4, ("25%", "25%"), False, FailureCode.REPLICAS_REFUSED, False),
        (3, ("25%", "25%"), False, FailureCode.NO_SURGE_ROOM, True),
    ],
)
def test_a_quota_that_may_get_room(
    replicas: int, strategy: tuple[str, str], ending: bool, code: FailureCode, ends: bool
) -> None:
    refused = replace(
        revision(replicas=0), desired=1, conditions=(Condition("ReplicaFailure", "True", "FailedCreate", QUOTA),)
    )
    old = revision("web-old", number=1, replicas=replicas, template=OLD)
    still = replace(pod(revision="web-old"), deleted=9.0 if ending else 0.0)
    surge, unavailable = strategy
    picture = snapshot(still, revisions=(refused, old), replicas=replicas, max_surge=surge, max_unavailable=unavailable)
    (found,) = troubles(picture)
    assert (found.failure.code, found.ends) == (code, ends)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "fence"),
    [
        (1, "25%", "25%", 0),
        (3, "25%", "25%", 0),
        (4, "25%", "25%", 1),
        (1, "0", "0", 1),
        (1, "0%", "25%", 1),
        (10, "1", "3", 3),
        (1, "", "", 0),
    ],
)
def test_how_many_pods_may_be_missing(replicas: int, surge: str, unavailable: str, fence: int) -> None:
    found = replace(deployment(container()), replicas=replicas, max_surge=surge, max_unavailable=unavailable)
    assert max_unavailable(found) == fence


def unscheduled(message: str) -> Pod:
    condition = Condition("PodScheduled", "False", "Unschedulable", message)
    return replace(pod(ready=False), containers=(), conditions=(condition,), node="", phase="Pending")


@pytest.mark.parametrize(
    ("message", "old", "strategy", "code"),
    [
        ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. x", 1, "RollingUpdate", FailureCode.NO_SURGE_ROOM),
        ("0/1 nodes are available: 1 node(s) didn't have free ports", 1, "RollingUpdate", FailureCode.NO_SURGE_ROOM),
        ("0/1 nodes are available: 1 Insufficient memory.", 0, "RollingUpdate", FailureCode.UNSCHEDULABLE),
        ("0/1 nodes are available: 1 Insufficient memory.", 1, "Recreate", FailureCode.UNSCHEDULABLE),
        ("0/1 nodes are available: 1 node(s) had untolerated taint", 1, "RollingUpdate", FailureCode.UNSCHEDULABLE),
    ],
)
def test_pods_without_a_node(message: str, old: int, strategy: str, code: FailureCode) -> None:
    revisions = (revision(replicas=0), revision("web-old", number=1, replicas=old, template=OLD))
    (found,) = troubles(snapshot(unscheduled(message), revisions=revisions, strategy=strategy))
    assert (found.failure.code, found.ends) == (code, False)
    if code is FailureCode.NO_SURGE_ROOM:
        assert "maxSurge: 0, maxUnavailable: 1" in found.failure.hint


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("1 node(s) didn't match Pod's node affinity/selector", "nodeSelector"),
        ("1 node(s) had untolerated taint {gpu: true}", "toleration"),
        ("pod has unbound immediate PersistentVolumeClaims", "kubectl get pvc -n shop"),
        ("1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: true}", "lower its requests"),
        ("something new", "kubectl describe nodes"),
    ],
)
def test_the_way_out_for_a_pod_without_a_node(message: str, hint: str) -> None:
    (found,) = troubles(snapshot(unscheduled(f"0/1 nodes are available: {message}. preemption: none")))
    assert hint in found.failure.hint


@pytest.mark.parametrize(
    ("found", "events", "words"),
    [
        (
            replace(pod(ready=False), phase="Failed", reason="Evicted", message="The node was low on memory"),
            (),
            "low on",
        ),
        (
            pod(
                ready=False,
            ),
            (event(pod(), "NodeNotReady", "Node is not ready", ""),),
            "node1, the node of Pod web-new-1, does not answer the cluster",
        ),
        (
            pod(ready=False),
            (event(pod(), "Unhealthy", "Startup probe failed: connection\nrefused", last=110.0),),
            "is not ready: Startup probe failed: connection refused",
        ),
    ],
)
def test_pods_that_do_not_get_ready(found: Pod, events: tuple[ClusterEvent, ...], words: str) -> None:
    if found.phase != "Failed":
        found = replace(found, containers=tuple(replace(c, ready=False) for c in found.containers))
    (trouble,) = troubles(snapshot(found, events=events))
    assert trouble.failure.code is FailureCode.NOT_READY
    assert words in trouble.failure.message


def test_a_probe_that_meets_a_starting_program_once_is_not_worth_a_word() -> None:
    found = pod(ready=False)
    found = replace(found, containers=tuple(replace(c, ready=False) for c in found.containers))
    early = event(found, "Unhealthy", "Readiness probe failed: connection refused", last=100.5)
    assert troubles(snapshot(found, events=(early,))) == ()
    (trouble,) = troubles(snapshot(found, events=(replace(early, count=2),)))
    assert trouble.failure.code is FailureCode.NOT_READY
    assert not trouble.ends


def test_a_volume_that_the_old_pod_holds() -> None:
    stuck = waiting("ContainerCreating")
    said = event(stuck, "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used', "")
    revisions = (revision(), revision("web-old", number=1, template=OLD))
    (found,) = troubles(snapshot(stuck, events=(said,), revisions=revisions))
    assert found.failure.code is FailureCode.NO_SURGE_ROOM


def test_a_replica_set_that_cannot_be_made() -> None:
    message = 'replicasets.apps "web-1" is forbidden: exceeded quota: q'
    picture = snapshot(conditions=(Condition("Progressing", "False", "ReplicaSetCreateError", message),))
    (found,) = diagnose(picture, None)
    assert found.failure.message == "deployment/web cannot make its new ReplicaSet: exceeded quota: q"
    assert found.ends


def test_at_the_deadline_the_most_telling_trouble_is_the_cause() -> None:
    not_ready = Trouble("a", Failure(FailureCode.NOT_READY, "it is not ready", "see there"))
    crash = Trouble("b", Failure(FailureCode.CRASH, "it crashed", "fix it"))
    assert at_deadline(snapshot(), Rolling("", (not_ready, crash)), 300.0) == Failure(
        FailureCode.CRASH, "it crashed, still so after 5m", "fix it"
    )


def test_at_the_deadline_without_a_trouble_the_counts_are_told() -> None:
    found = at_deadline(snapshot(), Rolling("0 of 1 new Pods ready"), 90.0)
    assert found.code is FailureCode.ROLLOUT_TIMEOUT
    assert found.message == "deployment/web did not finish its rollout within 1m30s: 0 of 1 new Pods ready"


def test_at_the_deadline_a_pod_that_no_kubelet_has_taken_up_is_the_cause() -> None:
    silent = replace(pod("p", ready=False), node="node2", phase="Pending", containers=())
    found = at_deadline(snapshot(silent), Rolling("0 of 1 new Pods ready"), 8.0)
    assert found.code is FailureCode.NOT_READY
    assert found.message == "node2 has not begun to start Pod p after 8s"
    assert "kubectl describe node node2" in found.hint
    for other in (replace(silent, node=""), replace(silent, revision="older")):
        found = at_deadline(snapshot(other), Rolling("0 of 1 new Pods ready"), 8.0)
        assert found.code is FailureCode.ROLLOUT_TIMEOUT


@pytest.mark.parametrize(("seconds", "text"), [(300.0, "5m"), (90.0, "1m30s"), (0.5, "0.5s"), (0.0, "0s"), (45, "45s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


CURRENT, PREVIOUS = ContainerRef("p", "web"), ContainerRef("p", "web", previous=True)
ARM = resolved("a", platform="linux/arm64/v8")
AMD = resolved("a")
BROKEN = Broken(Failure(FailureCode.CRASH, "container web of Pod p ended with exit code 1, twice", "see the log"))


@pytest.mark.parametrize(
    ("lines", "image", "platform", "code", "words"),
    [
        (["starting", "KeyError: 'URL'"], AMD, "linux/amd64", FailureCode.CRASH, ", twice: KeyError: 'URL'"),
        (["panic: oh no", "goroutine 1 [running]:"], AMD, "", FailureCode.CRASH, ", twice: panic: oh no"),
        (["bye", "  "], None, "", FailureCode.CRASH, ", twice: bye"),
        ([], None, "linux/amd64", FailureCode.CRASH, "twice"),
        (["exec /app: exec format error"], None, "", FailureCode.WRONG_ARCHITECTURE, "another architecture"),
        (["exec /app: exec format error"], ARM, "", FailureCode.WRONG_ARCHITECTURE, "another architecture"),
        (["x"], ARM, "linux/amd64", FailureCode.WRONG_ARCHITECTURE, "for linux/arm64/v8, and the node is linux/amd64"),
        (["x"], ARM, "linux/arm64", FailureCode.CRASH, "twice: x"),
        (["exec format error"], AMD, "linux/amd64", FailureCode.CRASH, "although the image is for linux/amd64"),
    ],
)
def test_what_the_logs_say_of_a_crash(
    lines: list[str], image: ResolvedImage | None, platform: str, code: FailureCode, words: str
) -> None:
    found = explain_crash(BROKEN, {CURRENT: lines}, image, platform)
    assert found.code is code
    assert words in found.message
    assert found.hint


_POD = "/home/ann/projects/devloop-demo/.sandbox/node1/pods/default_web-5999fb995f-gc2xc_c01fb673-1111-2222"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"OSError: [Errno 2] No file: '{_POD}/app/page.html'", "OSError: [Errno 2] No file: '…/app/page.html'"),
        (f"Error: cannot open {_POD}/etc/{'a' * 60}.conf: denied", f"Error: cannot open …/{'a' * 60}.conf: denied"),
        (f"Error: '{_POD}/my files/page.html' is gone", "Error: '…/my files/page.html' is gone"),
        ("Error: no /srv/app/config/page.html", "Error: no /srv/app/config/page.html"),
        (f"Error: GET https://api.example.com/{'a' * 45}", f"Error: GET https://api.example.com/{'a' * 45}"),
    ],
)
def test_of_a_long_path_the_end_is_told(line: str, told: str) -> None:
    assert explain_crash(BROKEN, {CURRENT: [line]}, None, "").message == f"{BROKEN.failure.message}: {told}"


def test_the_last_exit_has_the_last_word() -> None:
    logs: dict[ContainerRef, Sequence[str]] = {CURRENT: ["Error: second"], PREVIOUS: ["Error: first"]}
    assert explain_crash(BROKEN, logs, None, "").message.endswith(": Error: second")


def test_other_failures_are_not_explained_by_logs() -> None:
    other = Broken(Failure(FailureCode.IMAGE_PULL, "no"))
    assert explain_crash(other, {CURRENT: ["exec format error"]}, ARM, "linux/amd64") == other.failure


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("ErrImageNeverPull", 'Container image "web:dev" is not present with pull policy of Never'),
        ("ErrImagePull", "pull access denied, repository does not exist or may require authorization"),
        ("ImagePullBackOff", 'Back-off pulling image "web:dev"'),
    ],
)
def test_a_node_that_lacks_a_loaded_image_is_named(reason: str, message: str) -> None:
    mark = BuildMark("sha256:a", 1.0, "s1", loaded_as=DEV, loaded_into="the kind cluster `e2e`").encode()
    new = revision(template=replace(TEMPLATE, build=mark))
    (found,) = troubles(snapshot(waiting(reason, message), revisions=(new,)))
    assert (found.failure.code, found.ends) == (FailureCode.IMAGE_PULL, True)
    assert found.failure.message == (
        f"node1 has no copy of {DEV}, which was loaded into the kind cluster `e2e`, and no registry has it either"
    )
    assert "imagePullSecrets" not in found.failure.hint
