"""An answer of `why` is made to be pasted, and may hold log lines of anybody's Pods."""

import json
from pathlib import Path

from devloop.adapters.kubeconfig import PinnedContext
from devloop.core.config import Config
from devloop.core.failure import Failure, FailureCode
from devloop.core.service import WorkloadKey
from devloop.core.why.cause import Cause, CauseCode, Evidence, Link
from devloop.core.why.chain import Holds, Reading
from devloop.session.clean import without_secrets
from devloop.session.project import Place
from devloop.session.why.command import _as_json, cleaned, failed
from devloop.views.why import Answer, answer_lines

LINE = "no postgresql://app:hunter2@db/shop, see https://x/?token=hunter2"


def test_an_answer_without_secrets() -> None:
    cause = Cause(CauseCode.ROLLOUT_STUCK, LINE, (Evidence("log of Pod web-1", LINE),), LINE)
    reading = Reading(Link.SOURCE, Holds.UNREAD, LINE)
    answer = cleaned(Answer(WorkloadKey("shop", "deployment", "web"), "kind", (reading,), (cause,)), without_secrets())
    told = [phrase.text for phrase in answer_lines(answer, 0.0, None)]
    for text in (json.dumps(_as_json(answer)), "\n".join(told)):
        assert "hunter2" not in text
        assert "no postgresql://db/shop" in text


def test_a_failure_without_secrets() -> None:
    place = Place(Config(), "", Path(), PinnedContext("other", "", "default", ""), (), "default")
    told = failed(Failure(FailureCode.REGISTRY_UNREACHABLE, LINE, LINE), place, "current", without_secrets())
    assert "hunter2" not in told.message + told.hint
