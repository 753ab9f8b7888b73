"""A node's containerd unpacks of a layer what it unpacks of a full build, over the tables of the equality tests."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.bothways import both_ways
from tests.adapters.test_delta_equality import CASES, NOT_A_LAYER, base_tree, write_dockerfile
from tests.e2e.harness import apply
from tests.e2e.scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

_CASES_A_POD = 7
_ELSEWHERE = "/proc|/sys|/dev|/bin|/usr|/lib|/var/run|/etc/hosts|/etc/hostname|/etc/resolv.conf"
"""What the kernel and the kubelet put into a container, and the programs of the base image, which no case touches."""
LOOK = f"""
find / -xdev | grep -vE '^({_ELSEWHERE})(/|$)' | sort | while read -r f; do
    stat -c '%F %a %u:%g %N' "$f"
    if [ -f "$f" ] && [ ! -L "$f" ]; then md5sum "$f"; fi
done
"""
"""Kind, mode, owner, name and target of all that an image holds, and what is in its files."""


async def test_a_node_unpacks_both_to_the_same(scene: Scene, tmp_path: Path) -> None:
    cases = [case for case in CASES if case not in NOT_A_LAYER]
    images = {case: await _both(case, tmp_path, scene.registry) for case in cases}
    groups = [cases[at : at + _CASES_A_POD] for at in range(0, len(cases), _CASES_A_POD)]
    apply(scene.kubectl, scene.namespace, *(_pod(number, group, images) for number, group in enumerate(groups)))
    scene.kubectl(
        "-n", scene.namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod", "-l", "app=look",
        "--timeout=180s",
    )  # fmt: skip
    different = {case: found for case in cases if (found := _difference(scene, case, cases))}
    assert not different


async def _both(case: str, tmp_path: Path, registry: str) -> tuple[str, str]:
    """The images that a layer and a full build give."""
    lines, change = CASES[case]
    name = f"unpacked-{_name(case)}"
    async with both_ways(tmp_path / name, registry, name) as ways:
        base_tree(ways.folder)
        write_dockerfile(ways, lines)
        await ways.build()
        change(ways.folder)
        by_layer = await ways.build()
        assert by_layer.builder == "delta", ways.words
        fully = await ways.fully()
        repository = ways.request.push.name
        return f"{repository}@{by_layer.digest}", f"{repository}@{fully.digest}"


def _pod(number: int, group: list[str], images: dict[str, tuple[str, str]]) -> dict[str, Any]:
    containers = [
        {
            "name": f"{_name(case)}-{way}",
            "image": image,
            "command": ["sh", "-c", LOOK],
            "workingDir": "/",
            "securityContext": {"runAsUser": 0},
        }
        for case in group
        for way, image in zip(("layer", "full"), images[case], strict=True)
    ]
    spec = {"containers": containers, "restartPolicy": "Never", "automountServiceAccountToken": False}
    metadata = {"name": f"look-{number}", "labels": {"app": "look"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _difference(scene: Scene, case: str, cases: list[str]) -> list[str]:
    pod = f"look-{cases.index(case) // _CASES_A_POD}"
    left, right = (
        scene.kubectl("-n", scene.namespace, "logs", pod, "-c", f"{_name(case)}-{way}").splitlines()
        for way in ("layer", "full")
    )
    assert any(line.startswith("regular file") for line in left), left
    return sorted(set(left) ^ set(right))


def _name(case: str) -> str:
    return hashlib.sha256(case.encode()).hexdigest()[:12]
