"""The one patch of a cycle: image reference, pull policy, restart and devloop's marks, and nothing that stands already.

What a container has to say depends on how the service is pinned; that is a `Strategy`, so that neither the patch nor
the check whether one is needed knows any policy by name.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from devloop.core.events import Change
from devloop.core.image import ImageRef, InvalidReferenceError, PushedImage, same_image, short
from devloop.core.original import Original, Written, compact
from devloop.core.service import Pin
from devloop.core.workload import ACTIVE, BUILD, ORIGINAL, ContainerSpec, Deployment

IMAGE = "image"
POLICY = "imagePullPolicy"


@dataclass(frozen=True, slots=True)
class BuildMark:
    """What the template's `devloop/build` annotation says."""

    digest: str
    pushed_at: float
    """Unix seconds."""
    session: str
    patched_at: float = 0.0
    """Only when the mark of the same push stood there already: a restart needs a new one."""
    loaded_as: str = ""
    """The reference of an image that was loaded into a local cluster; only when it was."""
    loaded_into: str = ""
    """That cluster, in words."""

    @classmethod
    def of(cls, image: PushedImage, now: float, session: str) -> "BuildMark":
        loaded = (str(image.pod_ref), image.loaded_into) if image.loaded_into else ("", "")
        return cls(image.digest, now, session, 0.0, *loaded)

    def encode(self) -> str:
        optional = {"patched_at", "loaded_as", "loaded_into"}
        return compact({key: value for key, value in asdict(self).items() if key not in optional or value})

    @classmethod
    def decode(cls, text: str) -> "BuildMark | None":
        """None when the text is not devloop's."""
        try:
            data = json.loads(text)
            return cls(
                str(data["digest"]),
                float(data["pushed_at"]),
                str(data["session"]),
                float(data.get("patched_at", 0.0)),
                str(data.get("loaded_as", "")),
                str(data.get("loaded_into", "")),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def restarting(self, template: str) -> "BuildMark":
        """The mark for a restart now, over the mark that stands in the template: the push was when it was."""
        before = BuildMark.decode(template)
        if before is None or (before.digest, before.session) != (self.digest, self.session):
            return self
        return replace(before, patched_at=self.pushed_at)


def loaded_into(template_build: str, image: str) -> str:
    """The local cluster that an image of a template was loaded into, by the template's mark; empty when none was."""
    mark = BuildMark.decode(template_build)
    return mark.loaded_into if mark is not None and mark.loaded_as and same_image(mark.loaded_as, image) else ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a container refers to a pushed image, and when its node asks the registry."""

    reference: Callable[[PushedImage], ImageRef]
    policy: str
    """Empty: as it was before devloop."""
    why_reference: str
    why_policy: str
    why_elsewhere: str = ""
    """In place of `why_reference`, where the repository is another one too."""


STRATEGIES: Mapping[Pin, Strategy] = {
    Pin.TAG: Strategy(
        lambda image: image.pod_ref,
        "Always",
        "because devloop pushes to a tag of its own",
        "so that every start of a Pod asks the registry what the tag means now, instead of using the node's copy",
        "because devloop pushes to a repository and tag of its own",
    ),
    Pin.DIGEST: Strategy(
        lambda image: image.pod_ref.with_digest(image.digest),
        "",
        "pinned to the pushed digest, which nothing can move",
        "as it was: a reference by digest cannot go stale",
    ),
    Pin.LOADED: Strategy(
        lambda image: image.pod_ref,
        "IfNotPresent",
        "because each build is loaded into the nodes under a tag of its own",
        "so that no node asks a registry for an image that only the nodes have",
    ),
}


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field of one container: what is there, and what the strategy wants; equal when nothing has to be done."""

    container: ContainerSpec
    key: str
    live: str | None
    wanted: str | None
    why: str

    @property
    def change(self) -> Change:
        name, old, new = self.container.name, self.live or "", self.wanted or ""
        kind = "initContainers" if self.container.init else "containers"
        word = "image" if self.key == IMAGE else "pull policy"
        text = f"container {name}: {word} {new or 'unset'} instead of {old or 'unset'}, {self.why}"
        return Change(f"spec.template.spec.{kind}[{name}].{self.key}", old, new, text)


@dataclass(frozen=True, slots=True)
class Patch:
    """A strategic-merge patch, what it changes in words, and the mark by which its revision is known."""

    body: Mapping[str, Any]
    changes: tuple[Change, ...]
    mark: str


def field_plans(
    deployment: Deployment, containers: tuple[str, ...], image: PushedImage, pin: Pin
) -> tuple[FieldPlan, ...]:
    """Image and pull policy of each of the containers."""
    original = Original.of(deployment.annotations)
    specs = [spec for spec in deployment.template.containers if spec.name in containers]
    strategy = STRATEGIES[pin]
    return tuple(plan for spec in specs for plan in (_image(spec, strategy, image), _policy(spec, strategy, original)))


def differences(
    deployment: Deployment, containers: tuple[str, ...], image: PushedImage, pin: Pin
) -> tuple[FieldPlan, ...]:
    """The fields of the template that do not say what the strategy wants."""
    return tuple(p for p in field_plans(deployment, containers, image, pin) if p.live != p.wanted)


def desired(deployment: Deployment, containers: tuple[str, ...], image: PushedImage, pin: Pin) -> bool:
    """Whether the template asks for the image as the strategy wants it; says nothing about Pods."""
    return not differences(deployment, containers, image, pin)


def plan_patch(
    deployment: Deployment, containers: tuple[str, ...], image: PushedImage, pin: Pin, mark: BuildMark, now: float
) -> Patch:
    """The patch that makes one new revision which runs `image`.

    It names the uid, so that a workload deleted and created again meanwhile is refused, but no resourceVersion: the
    status and the replica count change all the time during a rollout, and none of that would make this patch wrong.
    """
    plans = field_plans(deployment, containers, image, pin)
    changing = [p for p in plans if p.live != p.wanted]
    build = mark.encode()
    if build == deployment.template.build:
        build = replace(mark, patched_at=now).encode()
    record = _record(deployment, plans, now)
    template = {"metadata": {"annotations": {BUILD: build}}} | _spec(changing)
    metadata: dict[str, Any] = {"uid": deployment.uid}
    marks = _marks(deployment, record)
    for change in marks:
        section, _, key = change.path.removeprefix("metadata.").rstrip("]").partition("[")
        metadata.setdefault(section, {})[key] = change.new
    restart = Change(
        f"spec.template.metadata.annotations[{BUILD}]",
        deployment.template.build,
        build,
        f"a new revision, so that every Pod is started anew and runs {short(image.digest)}",
    )
    changes = (*(p.change for p in changing), restart, *marks)
    return Patch({"metadata": metadata, "spec": {"template": template}}, changes, build)


def _image(spec: ContainerSpec, strategy: Strategy, image: PushedImage) -> FieldPlan:
    reference = strategy.reference(image)
    try:
        live = ImageRef.parse(spec.image)
    except InvalidReferenceError:
        return FieldPlan(spec, IMAGE, spec.image, str(reference), strategy.why_reference)
    wanted = spec.image if live.same_image(reference) else str(reference)
    elsewhere = strategy.why_elsewhere if not live.same_repository(reference) else ""
    return FieldPlan(spec, IMAGE, spec.image, wanted, elsewhere or strategy.why_reference)


def _policy(spec: ContainerSpec, strategy: Strategy, original: Original) -> FieldPlan:
    live = spec.pull_policy or None
    wanted = strategy.policy or _before(original.written(spec.name, POLICY), live)
    return FieldPlan(spec, POLICY, live, wanted, strategy.why_policy)


def _before(written: Written | None, live: str | None) -> str | None:
    """What was there before devloop; what somebody else wrote since counts as the original."""
    return written.was if written is not None and written.wrote == live else live


def _record(deployment: Deployment, plans: Iterable[FieldPlan], now: float) -> str:
    text = deployment.annotations.get(ORIGINAL, "")
    original = Original.decode(text)
    for plan in plans:
        name, key = plan.container.name, plan.key
        was = _before(original.written(name, key), plan.live)
        original = original.with_field(name, key, None if was == plan.wanted else Written(was, plan.wanted))
    return replace(original, since=original.since or now).encode()


def _marks(deployment: Deployment, record: str) -> list[Change]:
    """The changes on the workload itself, none of which makes a revision."""
    marks = []
    before = deployment.annotations.get(ORIGINAL, "")
    if record != before:
        text = "remembers what was there before, for `devloop restore`"
        marks.append(Change(f"metadata.annotations[{ORIGINAL}]", before, record, text))
    if deployment.labels.get(ACTIVE) != "true":
        text = "finds the workloads that devloop has changed"
        marks.append(Change(f"metadata.labels[{ACTIVE}]", deployment.labels.get(ACTIVE, ""), "true", text))
    return marks


def _spec(changing: Iterable[FieldPlan]) -> dict[str, Any]:
    """The template's containers that change, by name, which is how a strategic merge finds them."""
    lists: dict[str, dict[str, dict[str, Any]]] = {}
    for plan in changing:
        items = lists.setdefault("initContainers" if plan.container.init else "containers", {})
        items.setdefault(plan.container.name, {"name": plan.container.name})[plan.key] = plan.wanted
    return {"spec": {kind: list(items.values()) for kind, items in lists.items()}} if lists else {}
