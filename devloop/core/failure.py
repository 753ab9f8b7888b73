"""What can go wrong, as data: a stable code, one sentence, and what to do about it.

Every code belongs to one exit code of the command line (`ExitCode`), so that scripts can tell a broken Dockerfile
from a cluster that is away. `message` is written where the failure is found, `hint` names the next step.
"""

from dataclasses import dataclass
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


class FailureCode(StrEnum):
    """Why a check or a cycle failed; part of the output contract (`docs/events.md`)."""

    BUG = "bug"
    CONFIG_INVALID = "config_invalid"
    CONTEXT_REFUSED = "context_refused"

    ENGINE_UNREACHABLE = "engine_unreachable"
    BUILDX_MISSING = "buildx_missing"
    LOADER_MISSING = "loader_missing"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    REGISTRY_DENIED = "registry_denied"
    CLUSTER_UNREACHABLE = "cluster_unreachable"
    CLUSTER_DENIED = "cluster_denied"
    CLUSTER_LOGIN = "cluster_login"
    WORKLOAD_ABSENT = "workload_absent"
    CONTAINER_ABSENT = "container_absent"
    WORKLOAD_HELD = "workload_held"

    BUILD_FAILED = "build_failed"
    BUILD_LOOP = "build_loop"
    PUSH_FAILED = "push_failed"
    LOAD_FAILED = "load_failed"

    IMAGE_PULL = "image_pull"
    CRASH = "crash"
    WRONG_ARCHITECTURE = "wrong_architecture"
    REPLICAS_REFUSED = "replicas_refused"
    NO_SURGE_ROOM = "no_surge_room"
    UNSCHEDULABLE = "unschedulable"
    NOT_READY = "not_ready"
    CONTAINER_CONFIG = "container_config"
    PROGRESS_DEADLINE = "progress_deadline"
    ROLLOUT_TIMEOUT = "rollout_timeout"
    PAUSED = "paused"
    WORKLOAD_DELETED = "workload_deleted"
    WORKLOAD_REPLACED = "workload_replaced"
    WORKLOAD_CHANGED = "workload_changed"
    PATCH_REJECTED = "patch_rejected"

    MISMATCH = "mismatch"
    UNPROVEN = "unproven"
    REGISTRY_MOVED = "registry_moved"

    DEPENDENCY_FAILED = "dependency_failed"


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
        FailureCode.BUILD_LOOP,
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
    """What devloop talks to; each may go away and come back during a session."""

    CLUSTER = "cluster"
    ENGINE = "engine"
    REGISTRY = "registry"


CONNECTION_LOST: dict[FailureCode, Connection] = {
    FailureCode.CLUSTER_UNREACHABLE: Connection.CLUSTER,
    FailureCode.CLUSTER_LOGIN: Connection.CLUSTER,
    FailureCode.ENGINE_UNREACHABLE: Connection.ENGINE,
    FailureCode.REGISTRY_UNREACHABLE: Connection.REGISTRY,
}
"""Failures that end by themselves when a connection is back: the cycle is then run again without another save."""


GOES_ON = "devloop goes on when it answers again"
"""The end of hints that a session gives: it waits, and nobody has to do anything."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason, in one sentence, and the next step."""

    code: FailureCode
    message: str
    hint: str = ""

    @property
    def exit_code(self) -> ExitCode:
        return EXIT_CODES[self.code]
