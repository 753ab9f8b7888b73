"""The answer as people read it."""

from dataclasses import replace
from datetime import UTC

import pytest

from devloop.core.why.cause import Cause, CauseCode
from devloop.core.why.chain import chain
from devloop.core.why.diagnosis import diagnose
from devloop.core.why.facts import Facts, Unread
from devloop.core.why.tally import Tally, tally
from devloop.core.workload import Pod, Running, Terminated, Waiting
from devloop.views import Tone
from devloop.views.verdict import ruling
from devloop.views.why import Answer, answer_lines, screen_lines, table_lines
from tests.core.why.scenes import NOW, STARTED, facts, in_registry, local, reference, running
from tests.core.why.test_newestsave import FAILED, WAITS, of
from tests.core.why.test_workload_causes import pinned_to_digest, unfinished, unpulled
from tests.core.workloads import DEV

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
    return Answer(found.key, "kind-dev", chain(found, causes), causes, pod, tally(found), found.saved)


def told(found: Facts, now: float = NOW) -> str:
    return "\n".join(phrase.text for phrase in answer_lines(answer(found), now, UTC, 100))


def test_an_answer() -> None:
    assert told(ONE_OF_TWO) == GOLDEN


def test_what_was_not_today_has_its_date() -> None:
    assert "built 1970-01-01 00:15:00" in told(ONE_OF_TWO, NOW + 86_400)


def test_an_image_that_is_dated_by_its_files_is_not_called_built_then() -> None:
    found = reference(registry=in_registry(of_files=True), here=local())
    said = told(replace(ONE_OF_TWO, references={DEV: found}))
    assert "  ✔ registry tag   localhost:5001/shop/web:dev is aaaaaaaaaaaa, made of files of 00:15:00\n" in said
    assert "is aaaaaaaaaaaa now, and was made of files of 00:15:00\n" in said
    assert "is aaaaaaaaaaaa here, built 00:15:00\n" in said, "by the engine, for all that is known"


def test_when_nothing_is_wrong() -> None:
    assert told(facts(running("one", "a"))).endswith(
        "\nthe newest image runs: container web reports what the registry has"
    )
    both = told(facts(running("one", "a"), running("two", "a")))
    assert both.endswith("\nthe newest image runs in 2 Pods: container web reports what the registry has")


def test_the_pod_that_was_asked_about_is_named_first() -> None:
    (first, *_) = answer_lines(answer(replace(ONE_OF_TWO, only="one"), "one"), NOW, UTC)
    assert first.text == "Pod one of deployment/web in namespace shop, context kind-dev"


def test_the_table_has_the_worst_first() -> None:
    fine, stale = answer(facts(running("one", "a"))), answer(ONE_OF_TWO)
    unknown = answer(facts(running("one", "b"), known={}))
    rows = table_lines([fine, unknown, stale])
    assert [row.text.split()[1] for row in rows] == ["node-cache", "unknown", "ok"]
    assert [row.tone for row in rows] == [Tone.BAD, Tone.WARN, Tone.GOOD]


def test_one_of_several_services_of_a_workload_is_named() -> None:
    """Without it two rows of one workload contradict each other."""
    api, worker = (
        replace(answer(found), service=name, is_shared=True)
        for name, found in (("api", facts(running("one", "a"))), ("worker", ONE_OF_TWO))
    )
    heading = "deployment/web (service api) in namespace shop, context kind-dev"
    assert answer_lines(api, NOW, UTC)[0].text == heading
    alone = answer(facts(running("one", "a")))
    rows = [row.text.partition("  ")[0] for row in table_lines([api, worker, alone])]
    assert rows == ["deployment/web (worker)", "deployment/web", "deployment/web (api)"]


# on a screen ---------------------------------------------------------------------------------------------------------


def stale(pod: str) -> Pod:
    return running(pod, "b")


def on_screen(*found: Facts) -> list[str]:
    return [phrase.text for phrase in screen_lines([answer(each) for each in found], NOW, UTC)]


def test_on_a_screen_what_runs_comes_first_then_why_then_the_rest() -> None:
    first, empty, *rest = on_screen(ONE_OF_TWO)
    assert (first, empty) == ("✘ 1 of 2 Pods runs an old image: bbbbbbbbbbbb, not aaaaaaaaaaaa", "")
    plain = told(ONE_OF_TWO).split("\n")
    cause = rest.index("")
    assert rest[cause + 1 :] == [plain[0], *plain[2:9]], "the chain, in the same words"
    assert " ".join(rest[:cause]) == " ".join(plain[10:]), "the cause, in the same words, and not wrapped"


def test_of_several_workloads_all_verdicts_come_first() -> None:
    lines = on_screen(ONE_OF_TWO, facts(running("one", "a")))
    assert lines[0].startswith("✘ deployment/web: 1 of 2 Pods runs an old image")
    assert lines[1].startswith("✔ deployment/web: the newest image runs")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (facts(running("one", "a")), "✔ the newest image runs: container web reports what the registry has"),
        (facts(running("one", "b")), "✘ its only Pod runs an old image: bbbbbbbbbbbb, not aaaaaaaaaaaa"),
        (facts(*map(stale, ("one", "two"))), "✘ all 2 Pods run an old image: bbbbbbbbbbbb, not aaaaaaaaaaaa"),
        (facts(running("one", "b"), known={}), "· whether the newest image runs cannot be told"),
        (unfinished(paused=True), "✘ its only Pod runs what came before the newest template"),
        (unpulled(), "✘ no Pod is ready"),
        (pinned_to_digest("c"), "✘ its only Pod runs what was asked for, which is not the newest"),
        (of(FAILED), "✘ Dockerfile is not live: its build failed; the cluster runs your 14:02 save"),
        (of(WAITS), "· Dockerfile is not live yet; the cluster runs your 14:02 save"),
    ],
)  # fmt: skip
def test_the_verdict(found: Facts, verdict: str) -> None:
    assert on_screen(found)[0] == verdict


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (CauseCode.OTHER_PODS, "all 3 Pods run the newest image, but others answer too"),
        (CauseCode.SHADOWED, "all 3 Pods run the newest image, but a volume hides what is in it"),
        (CauseCode.RESTORED, "all 3 Pods run the newest image; the workload is what it was before devloop"),
        (CauseCode.SAME_CONTENT, "all 3 Pods run the newest image"),
        (CauseCode.NOT_PUSHED, "all 3 Pods run what was asked for, which is not the newest"),
    ],
)
def test_what_runs_where_every_pod_runs_what_it_asks_for(code: CauseCode, said: str) -> None:
    assert ruling(Cause(code, ""), Tally(3, ready=3), None)[0] == said


def test_some_of_the_pods() -> None:
    stuck = Cause(CauseCode.ROLLOUT_STUCK, "")
    assert (
        ruling(stuck, Tally(3, old=2, behind=2, ready=2), None)[0]
        == "2 of 3 Pods run what came before the newest template"
    )
    assert ruling(stuck, Tally(3, ready=1), None)[0] == "Pods that are ready: 1 of 3"


@pytest.mark.parametrize(
    ("state", "init", "mark", "words"),
    [
        (Running(STARTED), False, "✔", "web runs aaaaaaaaaaaa, the newest, since 00:16:40"),
        (
            Waiting("CrashLoopBackOff"), False, "✘",
            "web ended, and waits in CrashLoopBackOff; its image is aaaaaaaaaaaa, the newest",
        ),
        (Waiting(""), False, "✘", "web waits; its image is aaaaaaaaaaaa, the newest"),
        (Terminated(0, started_at=STARTED), False, "✘", "web ended with exit code 0; its image is"),
        (Terminated(3, started_at=STARTED), True, "✘", "web ended with exit code 3; its image is"),
        (Terminated(0, started_at=STARTED), True, "✔", "web runs aaaaaaaaaaaa, the newest, since 00:16:40"),
    ],
)  # fmt: skip
def test_what_does_not_run_is_not_told_to_run(
    state: Waiting | Running | Terminated, init: bool, mark: str, words: str
) -> None:
    one = running("one", "a")
    (web,) = one.containers
    one = replace(one, ready=isinstance(state, Running), containers=(replace(web, state=state, init=init),))
    (line,) = [line for line in told(facts(one)).splitlines() if " container  " in line]
    assert line.startswith(f"  {mark} container      one on node1: {words}")
