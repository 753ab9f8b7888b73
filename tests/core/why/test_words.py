"""The answer as people read it."""

from dataclasses import replace
from datetime import UTC

from devloop.core.why.chain import chain
from devloop.core.why.diagnosis import diagnose
from devloop.core.why.facts import Facts, Unread
from devloop.views import Tone
from devloop.views.why import Answer, answer_lines, table_lines
from tests.core.why.scenes import NOW, STARTED, facts, local, reference, running

ONE_OF_TWO = facts(
    running("one", "b", at=STARTED + 5),
    running("two", "a", node="node2"),
    reference=reference(here=local()),
    source=Unread("not known: no service of a devloop.toml runs on this workload"),
)

GOLDEN = """\
deployment/web in namespace shop, context kind-dev

  · source         not known: no service of a devloop.toml runs on this workload
  ✔ local image    localhost:5001/shop/web:dev is aaaaaaaaaaaa here, built 00:15:00
  ✔ registry tag   localhost:5001/shop/web:dev is aaaaaaaaaaaa, built 00:15:00
  ✔ workload spec  container web asks for localhost:5001/shop/web:dev under IfNotPresent
  ✔ revision       web-new is the newest, 2 of 2 Pods ready, made 00:00:40
  ✘ container      one on node1: web runs bbbbbbbbbbbb, an old image, since 00:16:45
  ✔                two on node2: web runs aaaaaaaaaaaa, the newest, since 00:16:40

node-cache: Pod one on node1 (1 of 2 Pods) runs an old image of localhost:5001/shop/web:dev: under
IfNotPresent the copy that node1 already had was used, without asking the registry
  · registry: localhost:5001/shop/web:dev is aaaaaaaaaaaa now, and was built 00:15:00
  · Pod one, container web on node1: reports bbbbbbbbbbbb, started 00:16:45
  · Pod two, container web on node2: reports aaaaaaaaaaaa, the newest, started 00:16:40
→ kubectl patch deployment/web -n shop -p \
'{"spec":{"template":{"spec":{"containers":[{"name":"web","imagePullPolicy":"Always"}]}}}}'"""


def answer(found: Facts, pod: str = "") -> Answer:
    causes = diagnose(found)
    return Answer(found.key, "kind-dev", chain(found, causes), causes, pod)


def told(found: Facts, now: float = NOW) -> str:
    return "\n".join(phrase.text for phrase in answer_lines(answer(found), now, UTC, 100))


def test_an_answer() -> None:
    assert told(ONE_OF_TWO) == GOLDEN


def test_what_was_not_today_has_its_date() -> None:
    assert "built 1970-01-01 00:15:00" in told(ONE_OF_TWO, NOW + 86_400)


def test_when_nothing_is_wrong() -> None:
    assert told(facts(running("one", "a"))).endswith(
        "\nthe newest image runs: its only container reports what the registry has"
    )
    both = told(facts(running("one", "a"), running("two", "a")))
    assert both.endswith("each of its 2 containers reports what the registry has")


def test_the_pod_that_was_asked_about_is_named_first() -> None:
    (first, *_) = answer_lines(answer(replace(ONE_OF_TWO, only="one"), "one"), NOW, UTC)
    assert first.text == "Pod one of deployment/web in namespace shop, context kind-dev"


def test_the_table_has_the_worst_first() -> None:
    fine, stale = answer(facts(running("one", "a"))), answer(ONE_OF_TWO)
    unknown = answer(facts(running("one", "b"), known={}))
    rows = table_lines([fine, unknown, stale])
    assert [row.text.split()[1] for row in rows] == ["node-cache", "unknown", "ok"]
    assert [row.tone for row in rows] == [Tone.BAD, Tone.WARN, Tone.GOOD]
