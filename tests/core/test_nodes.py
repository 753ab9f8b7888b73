"""Whether Pods can run on the nodes, and what is built for them."""

from typing import Any

import pytest

from devloop.core.nodes import Node, judge_nodes, judge_platform

CONTROL = "node-role.kubernetes.io/control-plane"


def raw(*conditions: str, unschedulable: bool = False, taints: tuple[str, ...] = ()) -> dict[str, Any]:
    """A node as the API server sends it, with these conditions true and others false."""
    kinds = {"Ready", "DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable"}
    return {
        "metadata": {"name": "node1"},
        "spec": {
            **({"unschedulable": True} if unschedulable else {}),
            "taints": [dict(zip(("key", "effect"), taint.split(":"), strict=True)) for taint in taints],
        },
        "status": {
            "conditions": [{"type": kind, "status": str(kind in conditions)} for kind in sorted(kinds)],
            "nodeInfo": {"operatingSystem": "linux", "architecture": "arm64"},
        },
    }


@pytest.mark.parametrize(
    ("node", "trouble"),
    [
        (raw("Ready"), ()),
        (raw(), ("not ready",)),
        (raw("Ready", "DiskPressure", "PIDPressure"), ("DiskPressure", "PIDPressure")),
        (raw("Ready", unschedulable=True, taints=("node.kubernetes.io/unschedulable:NoSchedule",)), ("cordoned",)),
    ],
)
def test_what_keeps_pods_off_a_node(node: dict[str, Any], trouble: tuple[str, ...]) -> None:
    assert Node.parse(node) == Node("node1", "linux/arm64", trouble)


def test_taints_that_keep_pods_off() -> None:
    node = Node.parse(raw("Ready", taints=(f"{CONTROL}:NoSchedule", "gpu:NoExecute", "cheap:PreferNoSchedule")))
    assert node == Node("node1", "linux/arm64", (), (CONTROL, "gpu"))
    assert not node.is_open


def test_a_tainted_node_is_not_counted_among_those_that_take_any_pod() -> None:
    good, own = Node("a", "linux/amd64"), Node("b", "linux/arm64", (), (CONTROL,))
    some, none = judge_nodes([good, own]), judge_nodes([own])
    assert (some.level.value, some.message) == (
        "ok",
        f"1 node ready: linux/amd64; only for Pods that tolerate their taints: b ({CONTROL})",
    )
    assert (none.level.value, none.message) == (
        "note",
        f"all nodes take only Pods that tolerate their taints: b ({CONTROL})",
    )


def test_a_node_that_says_nothing_is_not_ready() -> None:
    assert Node.parse({}).trouble == ("not ready",)


def test_one_node_that_takes_pods_is_enough() -> None:
    good, bad = Node("a", "linux/amd64"), Node("b", "linux/arm64", ("not ready", "DiskPressure"))
    checks = [judge_nodes(nodes) for nodes in ([good], [good, bad], [bad], [])]
    assert [check.level.value for check in checks] == ["ok", "note", "failed", "failed"]
    assert [check.message for check in checks] == [
        "1 node ready: linux/amd64",
        "1 of 2 nodes may take no new Pods: b (not ready, DiskPressure)",
        "no node takes new Pods: b (not ready, DiskPressure)",
        "there are no nodes",
    ]
    assert checks[1].fix == "kubectl describe node b"


@pytest.mark.parametrize(
    ("built", "nodes", "level"),
    [
        ("linux/amd64", {"linux/amd64"}, "ok"),
        ("linux/amd64,linux/arm64", {"linux/amd64"}, "ok"),
        ("linux/amd64, linux/arm64", {"linux/amd64", "linux/arm64"}, "ok"),
        ("linux/arm64/v8", {"linux/arm64"}, "ok"),
        ("linux/arm64", {"linux/amd64"}, "failed"),
        ("linux/amd64", {"linux/amd64", "linux/arm64"}, "note"),
        ("windows/amd64", {"linux/amd64"}, "failed"),
    ],
)
def test_the_platform_against_the_nodes(built: str, nodes: set[str], level: str) -> None:
    check = judge_platform("web", built, nodes)
    assert check.level == level
    assert bool(check.fix) == (level != "ok")


def test_both_platforms_are_named() -> None:
    check = judge_platform("web", "linux/arm64", {"linux/amd64"})
    assert check.message == "web is built for linux/arm64, but the nodes are linux/amd64: its Pods could not start"
    check = judge_platform("web", "linux/amd64", {"linux/amd64", "linux/arm64"})
    assert "a Pod that lands on a linux/arm64 node cannot start" in check.message
