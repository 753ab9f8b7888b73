"""Containers that end when they should run: how they ended, how often, and what their logs say of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ResolvedImage, fits
from devloop.core.status import Broken, ContainerRef, Trouble
from devloop.core.workload import ClusterEvent, ContainerStatus, Pod, Running, Terminated, Waiting

MAX_EXITS = 1
"""So many exits of one container may still be a service that waits for another; one more ends the rollout."""

# Numbers of the container's system, which is Linux wherever devloop runs; signal(7).
_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}
_EXEC_FORMAT = "exec format error"
_TELLING = re.compile(r"^(?:panic:|fatal|Caused by:|Exception in thread|[\w.]*(?:Error|Exception)\b)|\berror\b", re.I)
_LONGEST = 200
"""Characters of a log line that go into a sentence."""
_LONG_PATH = re.compile(r"""(?<=['"])/[^'"]{41,}(?=['"])|(?<![\w/:.~+-])/[^\s'"`,:;()<>]{41,}""")
CUT = "…"
"""Stands for the front of such a path."""
_TAIL = 30
"""Characters of the end of such a path that are told: the file's name, and folders as far as they go in."""


def crash_trouble(namespace: str, pod: Pod, status: ContainerStatus, events: Sequence[ClusterEvent]) -> Trouble | None:
    """None unless the container ended since the Pod was made, when it should run."""
    end, count = _end(status), exits(status)
    if end is None or count == 0 or (status.init and end.exit_code == 0):
        return None
    failure = _failure(f"{pod.name} -n {namespace}", status, end, count, _liveness(events))
    ends = count > MAX_EXITS or failure.code is not FailureCode.CRASH
    return Trouble(f"{failure.code}:{pod.revision}:{status.name}", failure, _logs(pod, status, count), ends)


def exits(status: ContainerStatus) -> int:
    """How often the container has ended."""
    ended = isinstance(status.state, Terminated) or (
        isinstance(status.state, Waiting) and status.state.reason == "CrashLoopBackOff"
    )
    return status.restarts + (1 if ended else 0)


def explain_crash(
    broken: Broken, logs: Mapping[ContainerRef, Sequence[str]], image: ResolvedImage | None, node_platform: str
) -> Failure:
    """The failure with what the logs say. `node_platform` (`linux/amd64`) may be empty when it is not known.

    An image for another architecture is pulled without complaint and ends with code 1: only the log, and the platform
    of the image, tell it from a program that fails.
    """
    failure = broken.failure
    if failure.code not in {FailureCode.CRASH, FailureCode.WRONG_ARCHITECTURE}:
        return failure
    lines = [line for ref in sorted(logs, key=lambda r: not r.previous) for line in logs[ref]]
    platforms = image.platforms if image is not None else ()
    other = bool(node_platform and platforms) and not any(fits(p, node_platform) for p in platforms)
    format_error = any(_EXEC_FORMAT in text for text in (*lines, failure.message))
    if other:
        built = ", ".join(platforms)
        return _wrong_architecture(failure, f"the image is for {built}, and the node is {node_platform}")
    if format_error and not (node_platform and platforms):
        return _wrong_architecture(failure, f"`{_EXEC_FORMAT}`: the image is for another architecture than the node's")
    if format_error:
        return _foreign_program(failure, node_platform)
    decisive = _decisive(lines)
    return replace(failure, message=f"{failure.message}: {decisive}") if decisive else failure


def _wrong_architecture(failure: Failure, why: str) -> Failure:
    return Failure(
        FailureCode.WRONG_ARCHITECTURE,
        f"{failure.message}: {why}",
        "build for the nodes: set `platform` in the service's `build` (`kubectl get nodes -o wide` shows theirs)",
    )


def _foreign_program(failure: Failure, node_platform: str) -> Failure:
    return Failure(
        FailureCode.CRASH,
        f"{failure.message}: `{_EXEC_FORMAT}`, although the image is for {node_platform}, as the node is",
        "what it starts is a script without a first line such as `#!/bin/sh`, or a program copied from another machine",
    )


def _failure(pod: str, status: ContainerStatus, end: Terminated, count: int, liveness: str) -> Failure:
    """`pod` as kubectl wants it: name and namespace."""
    container = f"{'init container' if status.init else 'container'} {status.name} of Pod {pod.partition(' ')[0]}"
    if _EXEC_FORMAT in end.message:
        failure = Failure(FailureCode.WRONG_ARCHITECTURE, f"{container} could not be started")
        return _wrong_architecture(failure, f"`{_EXEC_FORMAT}`: the image is for another architecture than the node's")
    if end.reason in {"StartError", "ContainerCannotRun"}:
        return Failure(
            FailureCode.CONTAINER_CONFIG,
            f"{container} could not be started: {_clipped(end.message)}",
            "correct `command` or `args` of the container, or the image's ENTRYPOINT",
        )
    times = "" if count < 2 else ", twice" if count == 2 else f", {count} times"
    probe = f", after its liveness probe had failed ({liveness})" if liveness else ""
    note = f" ({_clipped(end.message)})" if end.message else ""
    return Failure(FailureCode.CRASH, f"{container} {_how(end)}{probe}{times}{note}", _hint(pod, status, end, liveness))


def _how(end: Terminated) -> str:
    if end.reason == "OOMKilled":
        return f"used more memory than it may and was killed (exit code {end.exit_code}, SIGKILL)"
    if end.exit_code == 0:
        return "ended by itself (exit code 0), but has to keep running"
    number = end.signal or end.exit_code - 128
    if number in _SIGNALS:
        return f"was ended by {_SIGNALS[number]} (exit code {end.exit_code})"
    return f"ended with exit code {end.exit_code}"


def _hint(pod: str, status: ContainerStatus, end: Terminated, liveness: str) -> str:
    if end.reason == "OOMKilled":
        return f"raise `resources.limits.memory` of container {status.name}, or make it use less"
    if liveness:
        return "correct the livenessProbe, or give a slow start time with a `startupProbe`"
    if end.exit_code == 0:
        return "start the program in the foreground: when the command ends, so does the container"
    if end.exit_code in {126, 127}:
        return "the command is not in the image, or not executable: see ENTRYPOINT, CMD, and `command` of the container"
    if end.exit_code == 137:
        return f"something killed it, often a node short of memory: `kubectl describe pod {pod}`"
    # Until it runs again `--previous` means the one before, whose log is gone: a kubelet keeps that of one that ended.
    which = " --previous" if isinstance(status.state, Running) else ""
    return f"`kubectl logs {pod} -c {status.name}{which}` shows all it wrote"


def _end(status: ContainerStatus) -> Terminated | None:
    """How the container ended last."""
    return status.state if isinstance(status.state, Terminated) else status.last


def _logs(pod: Pod, status: ContainerStatus, count: int) -> tuple[ContainerRef, ...]:
    current, previous = (ContainerRef(pod.name, status.name, before) for before in (False, True))
    if count > 1:
        return (current, previous)
    return (previous,) if isinstance(status.state, Running) else (current,)


def _liveness(events: Sequence[ClusterEvent]) -> str:
    """The kubelet's message when it was the liveness or startup probe that had the container killed."""
    if not any(e.reason == "Killing" and "probe" in e.message for e in events):
        return ""
    failed = [e.message for e in events if e.reason == "Unhealthy" and not e.message.startswith("Readiness")]
    return _clipped(failed[-1].partition("probe failed: ")[2]) if failed else ""


def _decisive(lines: Sequence[str]) -> str:
    """The last line that looks like the reason, else the last one at all."""
    said = [line.strip() for line in lines if line.strip()]
    telling = [line for line in said if _TELLING.search(line)]
    return _clipped(_LONG_PATH.sub(lambda path: _tail(path[0]), (telling or said or [""])[-1]))


def _tail(path: str) -> str:
    """A long path without its front: which file it is stands at its end, and the log has the whole."""
    end = path.find("/", len(path) - _TAIL - 1)
    return f"{CUT}{path[end if end >= 0 else path.rindex('/') :]}"


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
