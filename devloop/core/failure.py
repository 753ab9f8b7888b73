"""What can go wrong, as data: a stable code, one sentence, and what to do about it.

Every code belongs to one exit code of the command line (`ExitCode`), so that scripts can tell a broken Dockerfile
from a cluster that is away. `message` is written where the failure is found, `hint` names the next step.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """The documented exit codes of `devloop`; with several failures the highest one counts."""

    DONE = 0
    BUG = 1
    USAGE = 2
    UNREACHABLE = 3
    BUILD = 4
    ROLLOUT = 5
    UNPROVEN = 6
    CONTEXT_REFUSED = 7
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "everything is verified, unchanged or applied; or stdout was closed",
    ExitCode.BUG: "a mistake in devloop; a report file is named",
    ExitCode.USAGE: "wrong usage or configuration",
    ExitCode.UNREACHABLE: "engine, registry or cluster unreachable, access denied, workload absent or held",
    ExitCode.BUILD: "a build, push or load failed",
    ExitCode.ROLLOUT: "a rollout failed",
    ExitCode.UNPROVEN: "the Pods do not provably run what was pushed",
    ExitCode.CONTEXT_REFUSED: "the kube context is refused",
    ExitCode.HANGUP: "the terminal was closed",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.TERMINATED: "terminated",
}
"""What `--help` and `docs/reference/codes.md` say of each."""


class FailureCode(StrEnum):
    """Why a check or a cycle failed, and what mends it; part of the output contract (`docs/reference/codes.md`)."""

    BUG = "bug"
    """A mistake in devloop; the hint names the report. Fix: report it, with that file."""
    CONFIG_INVALID = "config_invalid"
    """The configuration contradicts itself or the workload. Fix: correct the key that is named."""
    CONTEXT_REFUSED = "context_refused"
    """devloop may not write to this kube context. Fix: allow it under `[cluster]` in `devloop.toml`, or type its name
    when a terminal asks for it."""

    ENGINE_UNREACHABLE = "engine_unreachable"
    """The Docker engine or the builder does not answer. Fix: start it, or choose another one with `docker context use
    NAME`, `DOCKER_HOST` or `builder`."""
    BUILDX_MISSING = "buildx_missing"
    """The buildx plugin is missing or too old. Fix: install `docker-buildx-plugin`, 0.12 or newer."""
    LOADER_MISSING = "loader_missing"
    """The command that loads images into the local cluster is missing, or knows no such cluster. Fix: install it,
    create the cluster, or choose the engine that it runs in."""
    REGISTRY_UNREACHABLE = "registry_unreachable"
    """The registry does not answer. Fix: start it, or correct its name in `image` or `push_image`."""
    REGISTRY_DENIED = "registry_denied"
    """The registry does not take the credentials, or they do not allow this. Fix: `docker login HOST`."""
    CLUSTER_UNREACHABLE = "cluster_unreachable"
    """The API server does not answer. Fix: start the cluster, or choose another `--context`; a session goes on by
    itself."""
    CLUSTER_DENIED = "cluster_denied"
    """The API server does not allow this. Fix: ask for a Role with the rights that the message names."""
    CLUSTER_LOGIN = "cluster_login"
    """There are no credentials for the API server, or it does not take them (any more). Fix: log in again, until
    `kubectl version` works; a session then goes on by itself."""
    WORKLOAD_ABSENT = "workload_absent"
    """The workload does not exist. Fix: deploy it, or correct `workload` or `namespace`."""
    CONTAINER_ABSENT = "container_absent"
    """The workload has no such container, or it is not clear which one is meant. Fix: name it with `container`."""
    WORKLOAD_HELD = "workload_held"
    """Somebody else works on the workload. Outside of `--once` the session looks on instead, and the cycle is run again
    when the workload is its own. Fix: wait until that session ends, or `--take-over`."""

    BUILD_FAILED = "build_failed"
    """A step of the build failed. Fix: mend what the decisive line names, and save."""
    PUSH_FAILED = "push_failed"
    """The image was built and could not be pushed. Fix: as the message says; save to push again."""
    LOAD_FAILED = "load_failed"
    """The image was built and could not be loaded into the local cluster. Fix: as the message says; save to load
    again."""

    IMAGE_PULL = "image_pull"
    """A node cannot pull the image, or has no copy of one that was loaded. Fix: make its registry known and open to the
    nodes (its name there, `imagePullSecrets`, its certificate)."""
    CRASH = "crash"
    """A container ended and ends again when it is restarted. Fix: mend what its last words say, and save."""
    WRONG_ARCHITECTURE = "wrong_architecture"
    """The image is for another architecture than the node. Fix: `platform` in the service's `build`."""
    REPLICAS_REFUSED = "replicas_refused"
    """The API server refuses the new Pods (quota, admission). Fix: raise the quota, or change what the policy that is
    named objects to."""
    NO_SURGE_ROOM = "no_surge_room"
    """There is no room for the additional Pod that the rollout strategy asks for. Fix: `maxSurge: 0` with
    `maxUnavailable: 1`, or `type: Recreate`."""
    UNSCHEDULABLE = "unschedulable"
    """No node can take a Pod. Fix: lower what it requests, or free or add a node: `kubectl describe pod`."""
    NOT_READY = "not_ready"
    """A container runs but does not become ready, or its node does not answer. Fix: the program or its probe; `kubectl
    describe pod` shows the probe's answers."""
    CONTAINER_CONFIG = "container_config"
    """A container cannot be made: its command, its ConfigMap, its Secret, its volume. Fix: create what is named, or
    correct the reference to it."""
    PROGRESS_DEADLINE = "progress_deadline"
    """The Deployment made no progress within its own deadline. Fix: what holds it up, as the message says; else a
    longer `progressDeadlineSeconds`."""
    ROLLOUT_TIMEOUT = "rollout_timeout"
    """The rollout took longer than `rollout_timeout`. Fix: what it waits for (`devloop why --slow`), or more time under
    `[loop]`."""
    PAUSED = "paused"
    """The Deployment's rollouts are paused. Fix: `kubectl rollout resume`."""
    WORKLOAD_DELETED = "workload_deleted"
    """The workload was deleted during its rollout. Fix: create it again; the next save brings the new image to it."""
    WORKLOAD_REPLACED = "workload_replaced"
    """The workload was deleted and created again during its rollout. Fix: nothing; the next cycle updates the new
    one."""
    WORKLOAD_CHANGED = "workload_changed"
    """Somebody else changed the Pod template during its rollout. Fix: keep who is named from changing it while devloop
    runs, and save again."""
    PATCH_REJECTED = "patch_rejected"
    """The API server did not take the patch. Fix: change what the policy or webhook that is named objects to; `devloop
    plan` shows the patch."""

    MISMATCH = "mismatch"
    """A Pod provably runs another image than was pushed. Fix: `devloop why` says which, and what mends it."""
    UNPROVEN = "unproven"
    """Nothing proves which image a Pod runs. Fix: as the message says; `devloop why` looks further."""
    REGISTRY_MOVED = "registry_moved"
    """The tag in the registry is not what was pushed: somebody else pushed to it. Fix: a `tag` of your own."""

    DEPENDENCY_FAILED = "dependency_failed"
    """A service that it depends on failed; it starts again by itself once that is mended. The exit code is the
    dependency's. Fix: mend the dependency."""


_EXIT_CODES: dict[ExitCode, tuple[FailureCode, ...]] = {
    ExitCode.BUG: (FailureCode.BUG,),
    ExitCode.USAGE: (FailureCode.CONFIG_INVALID,),
    ExitCode.UNREACHABLE: (
        FailureCode.ENGINE_UNREACHABLE,
        FailureCode.BUILDX_MISSING,
        FailureCode.LOADER_MISSING,
        FailureCode.REGISTRY_UNREACHABLE,
        FailureCode.REGISTRY_DENIED,
        FailureCode.CLUSTER_UNREACHABLE,
        FailureCode.CLUSTER_DENIED,
        FailureCode.CLUSTER_LOGIN,
        FailureCode.WORKLOAD_ABSENT,
        FailureCode.CONTAINER_ABSENT,
        FailureCode.WORKLOAD_HELD,
    ),
    ExitCode.BUILD: (
        FailureCode.BUILD_FAILED,
        FailureCode.PUSH_FAILED,
        FailureCode.LOAD_FAILED,
    ),
    ExitCode.ROLLOUT: (
        FailureCode.IMAGE_PULL,
        FailureCode.CRASH,
        FailureCode.WRONG_ARCHITECTURE,
        FailureCode.REPLICAS_REFUSED,
        FailureCode.NO_SURGE_ROOM,
        FailureCode.UNSCHEDULABLE,
        FailureCode.NOT_READY,
        FailureCode.CONTAINER_CONFIG,
        FailureCode.PROGRESS_DEADLINE,
        FailureCode.ROLLOUT_TIMEOUT,
        FailureCode.PAUSED,
        FailureCode.WORKLOAD_DELETED,
        FailureCode.WORKLOAD_REPLACED,
        FailureCode.WORKLOAD_CHANGED,
        FailureCode.PATCH_REJECTED,
    ),
    ExitCode.UNPROVEN: (FailureCode.MISMATCH, FailureCode.UNPROVEN, FailureCode.REGISTRY_MOVED),
    ExitCode.CONTEXT_REFUSED: (FailureCode.CONTEXT_REFUSED,),
    # A dependent adds nothing to the exit code: the dependency's own failure is counted where it happened.
    ExitCode.DONE: (FailureCode.DEPENDENCY_FAILED,),
}
EXIT_CODES: dict[FailureCode, ExitCode] = {code: exit for exit, codes in _EXIT_CODES.items() for code in codes}


class Connection(StrEnum):
    """What devloop talks to."""

    CLUSTER = "cluster"
    """The API server of the pinned context."""
    ENGINE = "engine"
    """The Docker engine, or the builder that buildx uses."""
    REGISTRY = "registry"
    """A registry that images are pushed to."""


CONNECTION_LOST: dict[FailureCode, Connection] = {
    FailureCode.CLUSTER_UNREACHABLE: Connection.CLUSTER,
    FailureCode.CLUSTER_LOGIN: Connection.CLUSTER,
    FailureCode.ENGINE_UNREACHABLE: Connection.ENGINE,
    FailureCode.REGISTRY_UNREACHABLE: Connection.REGISTRY,
}
"""Failures that end by themselves when a connection is back: the cycle is then run again without another save."""


GOES_ON = "devloop goes on when it answers again"
"""The end of hints that a session gives: it waits, and nobody has to do anything."""
BUILDS_AGAIN = "the next save builds again"
"""The end of others, which is so unless the service is paused, or the session waits for no save."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and what to do about it."""

    code: FailureCode
    """What kind of failure it is."""
    message: str
    """What went wrong, in one sentence that names the thing and the value."""
    hint: str = ""
    """The next step; may be empty."""

    @property
    def exit_code(self) -> ExitCode:
        return EXIT_CODES[self.code]

    def once(self, again: str) -> "Failure":
        """The same where nobody waits for a save: that command builds again."""
        hint = self.hint.replace(f"; {BUILDS_AGAIN}", f", then: {again}")
        return replace(self, hint=hint.replace("save again", f"`{again}` again"))
