"""Situations that were produced on a real cluster: what is made of them, without one.

`DEVLOOP_UPDATE_GOLDENS=1 pytest tests/core/why/test_recorded.py` writes the answers anew; read the difference.
"""

import os

import pytest

from devloop.core.why.chain import chain, first_broken
from devloop.core.why.diagnosis import diagnose, exit_code
from tests.core.why.recorded import RECORDED, facts_of, text_of

SITUATIONS = {
    "node-cache": (["node-cache"], "container"),
    "not-built": (["not-built"], "source"),
    "on-delete": (["paused"], "revision"),
    "other-architecture": (["other-architecture"], "container"),
    "other-container": (["other-container", "other-container"], "container"),
    "other-pods": (["other-pods"], "Pod"),
    "pinned": (["pinned"], "workload spec"),
    "policy-mutated": (["policy-mutated"], "Pod"),
    "registry-stale": (["registry-stale"], "container"),
    "reverted": (["reverted"], "workload spec"),
    "rollout-stuck": (["rollout-stuck"], "revision"),
    "shadowed": (["shadowed"], "container"),
    "statefulset": (["template-unchanged"], "revision"),
    "template-unchanged": (["template-unchanged"], "revision"),
}


def test_every_recording_is_looked_at() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == SITUATIONS.keys()


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_made_of_a_situation(name: str) -> None:
    found = facts_of(name)
    causes = diagnose(found)
    codes, broken = SITUATIONS[name]
    assert [cause.code for cause in causes] == codes
    assert first_broken(chain(found, causes), causes) == broken
    assert exit_code(causes) == 6


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_told_of_a_situation(name: str) -> None:
    golden = RECORDED / f"{name}.txt"
    told = text_of(name)
    if os.environ.get("DEVLOOP_UPDATE_GOLDENS"):
        golden.write_text(told, "utf-8")
    assert told == golden.read_text("utf-8")
