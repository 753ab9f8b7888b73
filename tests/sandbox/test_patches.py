"""Strategic merge, merge and JSON patches."""

from typing import Any

import pytest

from devloop.sandbox.errors import ApiError
from devloop.sandbox.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE, patched

A, B, C = ({"name": name, "image": f"{name}:1"} for name in "abc")


@pytest.mark.parametrize(
    ("live", "patch", "expected"),
    [
        ({"x": 1, "y": {"z": 1}}, {"y": {"w": 2}}, {"x": 1, "y": {"z": 1, "w": 2}}),
        ({"x": 1}, {"x": None}, {}),
        ({"command": ["a", "b"]}, {"command": ["c"]}, {"command": ["c"]}),
        ({"containers": [A, B]}, {"containers": [{"name": "b", "image": "b:2"}]},
         {"containers": [A, {"name": "b", "image": "b:2"}]}),
        ({"containers": [A]}, {"containers": [B]}, {"containers": [A, B]}),
        ({"containers": [A, B]}, {"containers": [{"name": "a", "$patch": "delete"}]}, {"containers": [B]}),
        ({"containers": [A, B]}, {"containers": [{"$patch": "replace"}, C]}, {"containers": [C]}),
        ({"containers": [A, B]}, {"$setElementOrder/containers": [{"name": n} for n in "cba"], "containers": [C]},
         {"containers": [C, B, A]}),
        ({"containers": [{**A, "env": [{"name": "X", "value": "1"}]}]},
         {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]},
         {"containers": [{**A, "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]}),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "name": "http"}]},
         {"ports": [{"port": 80, "name": "http"}]}),
        ({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 81}]},
         {"ports": [{"containerPort": 80}, {"containerPort": 81}]}),
        ({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
         {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}, {"strategy": {"type": "Recreate"}}),
        ({"m": {"a": 1, "b": 2}}, {"m": {"$patch": "replace", "c": 3}}, {"m": {"c": 3}}),
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
         {"finalizers": ["b", "c"]}),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        ({}, {"containers": [{"name": "a", "env": None}]}, {"containers": [{"name": "a"}]}),
    ],
)  # fmt: skip
def test_strategic(live: Any, patch: Any, expected: Any) -> None:
    before = repr(live)
    assert patched(STRATEGIC_MERGE, live, patch) == expected
    assert repr(live) == before


def test_a_list_item_without_its_key_is_refused() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        patched(STRATEGIC_MERGE, {"containers": [A]}, {"containers": [{"image": "x"}]})


@pytest.mark.parametrize(
    ("live", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge(live: Any, patch: Any, expected: Any) -> None:
    assert patched(MERGE_PATCH, live, patch) == expected


@pytest.mark.parametrize(
    ("live", "operations", "expected"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}, {"op": "add", "path": "/a/-", "value": 4}],
         {"a": [1, 2, 3, 4]}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ({"a": [1, 2]}, [{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2]}),
        ({"x/y": 1, "m~n": 2}, [{"op": "replace", "path": "/x~1y", "value": 3}, {"op": "remove", "path": "/m~0n"}],
         {"x/y": 3}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, {"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a": {"x": 1}}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": {"x": 1}, "b": {"x": 1}}),
    ],
)  # fmt: skip
def test_json_patch(live: Any, operations: Any, expected: Any) -> None:
    assert patched(JSON_PATCH, live, operations) == expected


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/nope"}],
        [{"op": "replace", "path": "/nope", "value": 1}],
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "add", "path": "/l/7", "value": 2}],
        [{"op": "add", "path": "/l/01", "value": 2}],
        [{"op": "what", "path": "/a"}],
        [{"path": "/a"}],
    ],
)
def test_an_operation_that_does_not_fit_refuses_all(operations: Any) -> None:
    with pytest.raises(ApiError) as refused:
        patched(JSON_PATCH, {"a": 1, "l": []}, operations)
    assert refused.value.code == 422
