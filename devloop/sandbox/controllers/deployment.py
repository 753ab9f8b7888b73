"""The Deployment controller: new ReplicaSets for new templates, and Pods that move from the old ones to the new one."""

import time
from collections.abc import Iterable
from typing import Any

from devloop.sandbox import kinds, times
from devloop.sandbox.controllers import rollout
from devloop.sandbox.controllers.base import MANAGER, Controller, Key
from devloop.sandbox.controllers.conditions import condition, with_condition, without_condition
from devloop.sandbox.controllers.deploymentstatus import calculated
from devloop.sandbox.controllers.ownership import controller_of, owned, reference
from devloop.sandbox.controllers.rollout import REVISION, replicas
from devloop.sandbox.errors import ApiError
from devloop.sandbox.recorder import Recorder
from devloop.sandbox.resources import Resources
from devloop.sandbox.store import Change

Raw = dict[str, Any]
_NOT_COPIED = frozenset({"kubectl.kubernetes.io/last-applied-configuration", REVISION, rollout.HISTORY, rollout.DESIRED,
                         rollout.MAXIMUM, "deprecated.deployment.rollback.to"})  # fmt: skip


class DeploymentController(Controller):
    """One look at a Deployment makes at most one step; the change that the step makes brings the next look."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._recorder = Recorder(resources, "deployment-controller")

    def concerned(self, change: Change) -> Iterable[Key]:
        metadata = change.object["metadata"]
        if change.plural == kinds.DEPLOYMENT.plural:
            yield metadata["namespace"], metadata["name"]
        elif change.plural == kinds.REPLICA_SET.plural:
            owner = controller_of(change.object)
            if owner and owner["kind"] == kinds.DEPLOYMENT.name:
                yield metadata["namespace"], owner["name"]
        elif change.plural == kinds.POD.plural and change.type == "DELETED":
            yield from self._of_pod(change.object)

    def _of_pod(self, pod: Raw) -> Iterable[Key]:
        """A strategy of Recreate waits for the last old Pod to be gone."""
        namespace, owner = pod["metadata"]["namespace"], controller_of(pod)
        found = self.resources.find(kinds.REPLICA_SET, namespace, owner["name"]) if owner else None
        if found is not None and (above := controller_of(found)):
            yield namespace, above["name"]

    def reconcile(self, key: Key) -> None:
        deployment = self.resources.find(kinds.DEPLOYMENT, *key)
        if deployment is None:
            return None
        sets = owned(self.resources, kinds.REPLICA_SET, deployment)
        if deployment["metadata"].get("deletionTimestamp"):
            return self._write_status(deployment, sets, self._new(deployment, sets))
        deployment = self._told_paused(deployment)
        if deployment["spec"].get("paused") or self._is_scaled(deployment, sets):
            return self._scale(deployment, sets)
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            return self._recreate(deployment, sets)
        return self._roll(deployment, sets)

    def _roll(self, deployment: Raw, sets: list[Raw]) -> None:
        deployment, new, sets = self._with_new(deployment, sets)
        old = [each for each in sets if each is not new]
        size = replicas(deployment) if replicas(new) > replicas(deployment) else rollout.new_size(deployment, sets, new)
        moved = self._resize(deployment, new, size)
        if not moved and rollout.total(old):
            sizes = rollout.shrunk_old(deployment, old, new)
            shrinking = [each for each in old if each["metadata"]["name"] in sizes]
            moved = sum(self._resize(deployment, each, sizes[each["metadata"]["name"]]) for each in shrinking) > 0
        if not moved and rollout.complete(deployment, deployment.get("status", {})):
            self._forget_old(deployment, old)
        self._roll_status(deployment, new)

    def _recreate(self, deployment: Raw, sets: list[Raw]) -> None:
        new = self._new(deployment, sets)
        old = [each for each in sets if each is not new]
        active = [each for each in old if replicas(each)]
        for each in active:
            self._resize(deployment, each, 0)
        if active or any(self._runs(each) for each in old):
            return self._roll_status(deployment, new)
        deployment, new, sets = self._with_new(deployment, sets)
        self._resize(deployment, new, replicas(deployment))
        if rollout.complete(deployment, deployment.get("status", {})):
            self._forget_old(deployment, old)
        return self._roll_status(deployment, new)

    def _runs(self, replica_set: Raw) -> bool:
        pods = owned(self.resources, kinds.POD, replica_set)
        return any(pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"} for pod in pods)

    def _scale(self, deployment: Raw, sets: list[Raw]) -> None:
        """Only the numbers: for a Deployment that is paused, or whose size was changed."""
        new = self._new(deployment, sets)
        active = [each for each in sets if replicas(each)]
        if len(active) <= 1:
            chosen = active[0] if active else new or max(sets, key=rollout.revision, default=None)
            sizes = {chosen["metadata"]["name"]: replicas(deployment)} if chosen is not None else {}
            active = [chosen] if chosen is not None else []
        elif new is not None and rollout.available(new) == replicas(new) == replicas(deployment):
            sizes = {each["metadata"]["name"]: 0 for each in active if each is not new}
        else:
            sizes = rollout.proportional(deployment, active)
        for each in active:
            self._resize(deployment, each, sizes.get(each["metadata"]["name"], replicas(each)))
        self._write_status(deployment, owned(self.resources, kinds.REPLICA_SET, deployment), new)

    def _is_scaled(self, deployment: Raw, sets: list[Raw]) -> bool:
        wanted = str(replicas(deployment))
        noted = [(each["metadata"].get("annotations") or {}).get(rollout.DESIRED) for each in sets if replicas(each)]
        return any(each is not None and each != wanted for each in noted)

    def _new(self, deployment: Raw, sets: list[Raw]) -> Raw | None:
        """The ReplicaSet of the template as it stands."""
        template = deployment["spec"]["template"]
        found = [each for each in sets if rollout.same_template(each["spec"]["template"], template)]
        return min(found, key=lambda each: each["metadata"]["creationTimestamp"], default=None)

    def _with_new(self, deployment: Raw, sets: list[Raw]) -> tuple[Raw, Raw, list[Raw]]:
        """The Deployment, its new ReplicaSet, which is made if need be, and all of them."""
        new = self._new(deployment, sets)
        others = [each for each in sets if each is not new]
        number = max(map(rollout.revision, others), default=0) + 1
        if new is None:
            new = self._create(deployment, others, number)
            deployment = self._numbered(deployment, new, "NewReplicaSetCreated", "Created new replica set")
        else:
            new = self._renumbered(deployment, new, number)
            deployment = self._numbered(deployment, new, "FoundNewReplicaSet", "Found new replica set")
        return deployment, new, [*others, new]

    def _create(self, deployment: Raw, others: list[Raw], number: int) -> Raw:
        spec, metadata = deployment["spec"], deployment["metadata"]
        status = deployment.get("status", {})
        hash_ = rollout.template_hash(spec["template"], status.get("collisionCount", 0))
        labels = {**spec["template"]["metadata"].get("labels", {}), rollout.HASH: hash_}
        template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
        selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), rollout.HASH: hash_}}
        size = rollout.new_size(deployment, others, None)
        made = {
            "metadata": {
                "name": f"{metadata['name']}-{hash_}", "labels": labels, "ownerReferences": [reference(deployment)],
                "annotations": {**_copied(deployment), REVISION: str(number), **_sizes(deployment)},
            },
            "spec": {"replicas": size, "selector": selector, "template": template}
            | ({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
        }  # fmt: skip
        try:
            new = self.resources.create(kinds.REPLICA_SET, metadata["namespace"], made, MANAGER)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                count = status.get("collisionCount", 0) + 1
                self._put_status(deployment, {**status, "collisionCount": count})
            raise
        if size:
            self._say_scaled(deployment, new, 0, size)
        return new

    def _renumbered(self, deployment: Raw, new: Raw, number: int) -> Raw:
        """A template that comes back makes its old ReplicaSet the newest again."""
        annotations = dict(new["metadata"].get("annotations") or {})
        before = annotations.get(REVISION, "0")
        if int(before) < number:
            annotations[REVISION] = str(number)
            if int(before):
                history = annotations.get(rollout.HISTORY)
                annotations[rollout.HISTORY] = f"{history},{before}" if history else before
        annotations = {**annotations, **_copied(deployment)}
        ready = deployment["spec"].get("minReadySeconds", 0)
        if annotations == new["metadata"].get("annotations") and ready == new["spec"].get("minReadySeconds", 0):
            return new
        spec = {**new["spec"], **({"minReadySeconds": ready} if ready or "minReadySeconds" in new["spec"] else {})}
        value = {**new, "metadata": {**new["metadata"], "annotations": annotations}, "spec": spec}
        return self.resources.update(kinds.REPLICA_SET, *_key(new), value, MANAGER)

    def _numbered(self, deployment: Raw, new: Raw, reason: str, text: str) -> Raw:
        """The Deployment with its revision, and with the first word about its progress."""
        metadata, status = deployment["metadata"], deployment.get("status", {})
        annotations = {**(metadata.get("annotations") or {}), REVISION: new["metadata"]["annotations"][REVISION]}
        if _deadline(deployment) and (reason == "NewReplicaSetCreated" or condition(status, "Progressing") is None):
            message = f'{text} "{new["metadata"]["name"]}"'
            status = with_condition(status, "Progressing", "True", reason, message)
        if annotations == metadata.get("annotations") and status == deployment.get("status", {}):
            return deployment
        value = {**deployment, "metadata": {**metadata, "annotations": annotations}, "status": status}
        return self.resources.update(kinds.DEPLOYMENT, *_key(deployment), value, MANAGER, "status")

    def _resize(self, deployment: Raw, replica_set: Raw, size: int) -> bool:
        """Whether its number of Pods changed."""
        before = replicas(replica_set)
        annotations = {**(replica_set["metadata"].get("annotations") or {}), **_sizes(deployment)}
        if before == size and annotations == replica_set["metadata"].get("annotations"):
            return False
        metadata = {**replica_set["metadata"], "annotations": annotations}
        value = {**replica_set, "metadata": metadata, "spec": {**replica_set["spec"], "replicas": size}}
        self.resources.update(kinds.REPLICA_SET, *_key(replica_set), value, MANAGER)
        if before != size:
            self._say_scaled(deployment, replica_set, before, size)
        return before != size

    def _say_scaled(self, deployment: Raw, replica_set: Raw, before: int, size: int) -> None:
        way, name = "up" if size > before else "down", replica_set["metadata"]["name"]
        message = f"Scaled {way} replica set {name} from {before} to {size}"
        self._recorder.say(deployment, "Normal", "ScalingReplicaSet", message)

    def _forget_old(self, deployment: Raw, old: list[Raw]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [each for each in old if not replicas(each) and not each.get("status", {}).get("replicas")]
        surplus = len(old) - limit
        for each in sorted(idle, key=rollout.revision)[: max(0, surplus)]:
            self.resources.delete(kinds.REPLICA_SET, *_key(each))

    def _told_paused(self, deployment: Raw) -> Raw:
        status, paused = deployment.get("status", {}), bool(deployment["spec"].get("paused"))
        said = condition(status, "Progressing")
        if not _deadline(deployment) or (said and said["reason"] == "ProgressDeadlineExceeded"):
            return deployment
        was = bool(said and said["reason"] == "DeploymentPaused")
        if paused == was:
            return deployment
        reason, word = ("DeploymentPaused", "paused") if paused else ("DeploymentResumed", "resumed")
        status = with_condition(status, "Progressing", "Unknown", reason, f"Deployment is {word}")
        return self._put_status(deployment, status)

    def _roll_status(self, deployment: Raw, new: Raw | None) -> None:
        sets = owned(self.resources, kinds.REPLICA_SET, deployment)
        new = self._new(deployment, sets)
        before = deployment.get("status", {})
        status = calculated(deployment, sets, new)
        said = condition(before, "Progressing")
        done = status.get("replicas", 0) == status.get("updatedReplicas", 0) and said is not None and (
            said["reason"] == "NewReplicaSetAvailable"
        )  # fmt: skip
        if not _deadline(deployment):
            status = without_condition(status, "Progressing")
        elif not done:
            status = self._progress(deployment, before, status, new)
        status = _failure(status, sets, new)
        if status != before:
            self._put_status(deployment, status)
        elif said is not None and said["reason"] not in {"NewReplicaSetAvailable", "ProgressDeadlineExceeded"}:
            due = times.seconds(said["lastUpdateTime"]) + _deadline(deployment) - time.time()
            self.look_later(_key(deployment), max(0.0, due) + 1.0)

    def _progress(self, deployment: Raw, before: Raw, status: Raw, new: Raw | None) -> Raw:
        name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
        if rollout.complete(deployment, status):
            message = f"{name} has successfully progressed."
            return with_condition(status, "Progressing", "True", "NewReplicaSetAvailable", message)
        if rollout.progressing(before, status):
            message = f"{name} is progressing."
            return with_condition(status, "Progressing", "True", "ReplicaSetUpdated", message, renew=True)
        if self._is_late(deployment, status):
            message = f"{name} has timed out progressing."
            return with_condition(status, "Progressing", "False", "ProgressDeadlineExceeded", message)
        return status

    def _is_late(self, deployment: Raw, status: Raw) -> bool:
        said = condition(status, "Progressing")
        if said is None or said["reason"] == "NewReplicaSetAvailable":
            return False
        late = time.time() > times.seconds(said["lastUpdateTime"]) + _deadline(deployment)
        return said["reason"] == "ProgressDeadlineExceeded" or late

    def _write_status(self, deployment: Raw, sets: list[Raw], new: Raw | None) -> None:
        status = calculated(deployment, sets, new)
        if status != deployment.get("status", {}):
            self._put_status(deployment, status)

    def _put_status(self, deployment: Raw, status: Raw) -> Raw:
        changed = self.resources.change(kinds.DEPLOYMENT, deployment, lambda live: {**live, "status": status}, MANAGER,
                                        "status")  # fmt: skip
        return changed or deployment


def _failure(status: Raw, sets: list[Raw], new: Raw | None) -> Raw:
    """A ReplicaSet that cannot make its Pods says so; the new one's word counts most."""
    words = [condition(each.get("status", {}), "ReplicaFailure") for each in ([new] if new else []) + sets]
    said = next((word for word in words if word), None)
    if said is None:
        return without_condition(status, "ReplicaFailure")
    return with_condition(status, "ReplicaFailure", said["status"], said["reason"], said["message"])


def _deadline(deployment: Raw) -> int:
    """Seconds; 0 for none."""
    found = int(deployment["spec"].get("progressDeadlineSeconds", 600))
    return 0 if found == 2**31 - 1 else found


def _copied(deployment: Raw) -> Raw:
    annotations = deployment["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key not in _NOT_COPIED}


def _sizes(deployment: Raw) -> Raw:
    wanted = replicas(deployment)
    return {rollout.DESIRED: str(wanted), rollout.MAXIMUM: str(wanted + rollout.fenceposts(deployment)[0])}


def _key(value: Raw) -> Key:
    return value["metadata"]["namespace"], value["metadata"]["name"]
