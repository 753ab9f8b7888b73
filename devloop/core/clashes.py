"""Services that cannot run side by side: two builds under one name, or one container claimed twice."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from devloop.core.problems import Finding
from devloop.core.service import Service, WorkloadKey


def clashes(services: Sequence[Service]) -> list[Finding]:
    """Every pair that contradicts itself, as far as the configuration alone tells."""
    findings: list[Finding] = []
    for first, second in combinations(services, 2):
        findings += _same_name(first, second)
        findings += _same_containers(first, second)
    return findings


def _same_name(first: Service, second: Service) -> Iterator[Finding]:
    if first.build == second.build:
        return
    pushed = first.push.same_image(second.push)
    if pushed or first.image.same_image(second.image):
        name = second.push if pushed else second.image
        yield Finding(
            ("services", second.name, "tag"),
            f"`{name}` is also what `{first.name}` makes, from another build",
            "give one of them a tag of its own, or both the same `build`",
        )


def _same_containers(first: Service, second: Service) -> Iterator[Finding]:
    for workload in [key for key in second.workloads if key in first.workloads]:
        claimed = _claimed_twice(first, second)
        if claimed is not None:
            yield _twice(first, second, workload, claimed)


def _claimed_twice(first: Service, second: Service) -> str | None:
    """What both claim, in words; None when that is nothing, or only the cluster can tell."""
    if first.containers and second.containers:
        shared = [name for name in second.containers if name in first.containers]
        return f"container `{shared[0]}`" if shared else None
    if first.containers or second.containers:
        return None
    # Without names a service takes the containers of its repository, else the only one: the same for both.
    return "the same containers" if first.image.same_repository(second.image) else None


def _twice(first: Service, second: Service, workload: WorkloadKey, claimed: str) -> Finding:
    return Finding(
        ("services", second.name, "container" if second.containers else "workload"),
        f"`{first.name}` and `{second.name}` both claim {claimed} of `{workload}`",
        "name other containers with `container`, or remove one of the services",
    )
