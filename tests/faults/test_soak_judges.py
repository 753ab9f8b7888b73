"""The soak's own judgement of `verified`: it finds a lie, and excuses what the next cycle did meanwhile."""

import json
import subprocess
import sys
import time
from typing import cast

import pytest

from tests.faults.soak.ask import Ask
from tests.faults.soak.claims import Soaked

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.000Z"
VERIFIED = {"event": "cycle_finished", "service": "web", "outcome": "verified", "digest": "sha256:a", "time": EARLY}


class Answers:
    """Registry and Pods that say one thing after the other, then the last for ever; None: they cannot be asked."""

    def __init__(self, *digests: set[str] | None) -> None:
        self._digests = list(digests)

    def digests(self, service: str) -> frozenset[str]:
        found = self._digests.pop(0) if len(self._digests) > 1 else self._digests[0]
        if found is None:
            raise ConnectionRefusedError
        return frozenset(found)


def judged(answers: Answers, *events: dict[str, str]) -> dict[str, int]:
    """What becomes of the claims of a process that says these events."""
    lines = "\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    command = [sys.executable, "-c", f"print({lines!r})"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with Soaked(process, ask=cast(Ask, answers)) as devloop:
        devloop.finish()
        devloop.news()
        devloop.ask_again()
        return dict(devloop.verdicts())


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (Answers({"sha256:a"}), "true"),
        (Answers({"sha256:a", "sha256:b"}), "false"),
        (Answers({"sha256:b"}), "false"),
        (Answers(None, {"sha256:a"}), "true"),
        (Answers(None, {"sha256:b"}), "false"),
        (Answers(None), "unasked"),
    ],
)
def test_a_claim_is_what_registry_and_pods_say(answers: Answers, verdict: str) -> None:
    assert judged(answers, VERIFIED) == {verdict: 1}


@pytest.mark.parametrize(("service", "verdict"), [("web", "overtaken"), ("api", "false")])
def test_only_a_later_cycle_of_the_same_service_excuses(service: str, verdict: str) -> None:
    started = {"event": "cycle_started", "service": service, "time": LATE}
    assert time.time() > 1_767_225_601, "asked after both"
    assert judged(Answers({"sha256:b"}), VERIFIED, started) == {verdict: 1}
