"""Two people on one workload: what a Lease (coordination.k8s.io/v1) says, who holds it, and what follows. Pure.

Whether a holder is gone is judged as client-go's leader election does: by how long *this* session has seen the Lease
unchanged, on its own clock that only runs forward. `renewTime` is another machine's wall clock, which may be minutes
off: one that is behind would let a live holder look expired, and two sessions would write. It only hints whether it is
worth waiting for a sign of life, where somebody wants an answer now (`--once`, `restore`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from devloop.core.failure import Failure, FailureCode
from devloop.core.service import WorkloadKey

API_GROUP = "coordination.k8s.io"
DURATION = 30.0
"""Seconds without a sign after which whoever holds a workload counts as gone."""
RENEWED_EVERY = 10.0
"""Seconds between two signs: two may be lost before a holder looks gone."""
HOLDER = "devloop/holder"
"""Annotation on the Lease: all that is known of its holder (JSON); `holderIdentity` is for people."""
WORKLOAD = "devloop/workload"
"""Annotation on the Lease: the workload that it is about, whose name may be cut short in the Lease's own."""
_LONGEST_NAME = 253
_LONGEST_WORD = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """A session that may write to a workload, and the process that it is."""

    user: str
    host: str
    pid: int = 0
    session: str = ""
    """Identifies the session; empty where another program holds the Lease."""
    machine: str = ""
    """Tells machines of one host name apart, and containers from their host; empty where that is not known."""
    started: str = ""
    """When the process started, in the system's own words: a pid is given away again, this with it never."""
    alias: str = ""
    """How whoever is no session of devloop's calls itself."""

    @property
    def identity(self) -> str:
        """`jo@laptop/4711`."""
        if self.alias or not self.session:
            return self.alias
        return f"{self.user}@{self.host}/{self.pid}"


@dataclass(frozen=True, slots=True)
class Lease:
    """What a Lease says. Times are Unix seconds of its holder's clock."""

    holder: Holder
    acquired: float
    renewed: float
    duration: float = DURATION
    transitions: int = 0
    version: str = ""
    """The `resourceVersion` that a change of it has to name; empty before there is one."""

    @property
    def sign(self) -> object:
        """What changes whenever its holder gives a sign of life, and not when somebody labels the object."""
        return self.holder, self.renewed


class Standing(StrEnum):
    """Whose a workload is, as this session sees it."""

    FREE = "free"
    OURS = "ours"
    HELD = "held"
    """Another session holds it, and lives as far as can be told."""
    EXPIRED = "expired"
    """Another session holds it, and has given no sign for as long as it said it would."""
    DEAD = "dead"
    """Another session of this machine holds it, whose process has ended."""


def standing(lease: Lease | None, me: Holder, *, silent: float, has_ended: bool) -> Standing:
    """`silent`: seconds for which this session has seen the Lease give no sign."""
    if lease is None or not lease.holder.identity:
        return Standing.FREE
    if (lease.holder.session, lease.holder.identity) == (me.session, me.identity):
        return Standing.OURS
    if has_ended:
        return Standing.DEAD
    return Standing.EXPIRED if silent >= lease.duration else Standing.HELD


def takes(found: Standing, *, take_over: bool) -> bool:
    """Whether this session writes itself into the Lease."""
    return found is not Standing.HELD or take_over


def claimed(lease: Lease | None, me: Holder, now: float) -> Lease:
    """The Lease as this session would have it: renewed where it holds it, else acquired."""
    if lease is None:
        return Lease(me, now, now)
    if lease.holder == me:
        return replace(lease, renewed=now, duration=DURATION)
    return Lease(me, now, now, DURATION, lease.transitions + 1, lease.version)


def seems_gone(lease: Lease, now: float) -> bool:
    """Whether, going by the clocks of two machines, its holder should have given a sign by now: no more than a hint."""
    return now > lease.renewed + lease.duration


def held(key: WorkloadKey, holder: str, since: str = "") -> Failure:
    """Why this session does not write to a workload. `since` is a moment in words."""
    return Failure(
        FailureCode.WORKLOAD_HELD,
        f"{holder} works on {key}" + (f" since {since}" if since else ""),
        "wait until that session ends, or take the workload over: `--take-over`",
    )


# as the API has it ---------------------------------------------------------------------------------------------------


def lease_name(key: WorkloadKey) -> str:
    """`devloop-NAME` of a Deployment; no name of a Deployment makes the `devloop.KIND-NAME` of other kinds."""
    name = f"devloop-{key.name}" if key.kind == "deployment" else f"devloop.{key.kind}-{key.name}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: _LONGEST_NAME - len(digest) - 1].rstrip('.-')}-{digest}"


def parse_lease(raw: Mapping[str, Any]) -> Lease:
    """Whatever wrote it: what is missing or odd is as good as not said."""
    metadata, spec = raw.get("metadata") or {}, raw.get("spec") or {}
    identity = one_word(spec.get("holderIdentity"), 3 * _LONGEST_WORD)
    holder = _holder((metadata.get("annotations") or {}).get(HOLDER, ""))
    if holder is None or holder.identity != identity:
        holder = Holder("", "", alias=identity)
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    return Lease(
        holder,
        _seconds(spec.get("acquireTime")),
        _seconds(spec.get("renewTime")),
        float(duration) if isinstance(duration, int) and duration > 0 else DURATION,
        transitions if isinstance(transitions, int) else 0,
        str(metadata.get("resourceVersion", "")),
    )


def lease_body(key: WorkloadKey, lease: Lease) -> dict[str, Any]:
    """The object to create, or to merge into the one of that version."""
    annotations = {HOLDER: json.dumps(asdict(lease.holder), sort_keys=True), WORKLOAD: str(key)}
    metadata = {"name": lease_name(key), "namespace": key.namespace, "annotations": annotations}
    return {
        "apiVersion": f"{API_GROUP}/v1",
        "kind": "Lease",
        "metadata": metadata | ({"resourceVersion": lease.version} if lease.version else {}),
        "spec": {
            "holderIdentity": lease.holder.identity,
            "leaseDurationSeconds": int(lease.duration),
            "acquireTime": _micro_time(lease.acquired),
            "renewTime": _micro_time(lease.renewed),
            "leaseTransitions": lease.transitions,
        },
    }


def _holder(text: str) -> Holder | None:
    try:
        found = json.loads(text)
        return Holder(
            one_word(found["user"]), one_word(found["host"]), int(found["pid"]), *(
                one_word(found[key]) for key in ("session", "machine", "started", "alias")
            )
        )  # fmt: skip
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def one_word(text: object, longest: int = _LONGEST_WORD) -> str:
    """A Lease is written by whoever may, and shown on terminals."""
    return "".join(c for c in text if c.isprintable())[:longest] if isinstance(text, str) else ""


def _micro_time(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else 0.0
    except ValueError:
        return 0.0
