"""What broke, in the order in which it is read."""

import pytest

from devloop.core import events as ev
from devloop.core.events import Phase
from devloop.core.failure import BUILDS_AGAIN, FailureCode
from devloop.core.problems import Problem
from devloop.core.reducer import fold
from devloop.views.band import Band, band, parted
from devloop.views.chronicle import Chronicle
from tests.tui.states import NOT_READY, STATES, held_up
from tests.tui.stories import Story


def band_of(story: Story, chosen: str = "") -> Band | None:
    past, state = Chronicle(), fold(())
    for record in story.records:
        state = fold([record], state) if not record.event.lossy else state
        past.take(record, state)
    return band(state, past, chosen, story.now)


def test_a_refused_configuration_comes_first_and_can_be_opened() -> None:
    wrong = [
        Problem("../devloop.toml", 3, "services.web.build", f"there is no folder `{n}`", "create it") for n in "ab"
    ]
    story = Story("web").begin("web").failed("web", FailureCode.BUILD_FAILED, "it does not compile", "mend it")
    refused = band_of(story.tell(ev.ConfigRefused("../devloop.toml", tuple(wrong))))
    assert refused == Band(
        "", "devloop.toml", "../devloop.toml:3 services.web.build", "there is no folder `a`", "create it",
        "../devloop.toml", 3, others=1,
    )  # fmt: skip
    mended = band_of(story.tell(ev.ConfigAccepted("../devloop.toml")))
    assert mended is not None
    assert mended.service == "web"


PARTED = [
    ("`[3/3] RUN make` failed: main.c:3: expected ;", "[3/3] RUN make", "main.c:3: expected ;"),
    ("`RUN echo `date`: x` failed: exit code 1", "RUN echo `date`: x", "exit code 1"),
    ("container web of Pod p ended with exit code 1, twice: KeyError: 'PORT'",
     "container web of Pod p ended with exit code 1, twice", "KeyError: 'PORT'"),
    ("no Pod is ready, so nothing proves which image runs", "no Pod is ready, so nothing proves which image runs", ""),
    ("localhost:5001 cannot be reached to push localhost:5001/web:dev: connection refused",
     "localhost:5001 cannot be reached to push localhost:5001/web:dev", "connection refused"),
    ("Dockerfile: unknown instruction: FORM\nDockerfile:1", "Dockerfile", "unknown instruction: FORM"),
]  # fmt: skip
"""A failure's sentence: what failed, and why."""


@pytest.mark.parametrize(("message", "what", "why"), PARTED)
def test_a_sentence_comes_apart(message: str, what: str, why: str) -> None:
    assert parted(message) == (what, why)


PLACES = [
    (['  File "./jobs.py", line 41'], "./jobs.py", 41),
    (['  File "/app/a.py", line 1, in f', '  File "/app/b.py", line 2, in g'], "/app/b.py", 2),
    (['  File "/app/a.py", line 1', '  File "/usr/lib/python3/x.py", line 9', '  File "<frozen os>", line 7'],
     "/app/a.py", 1),
    (['  File "/x/.sandbox/pods/web-1/app/web.py", line 13, in <module>',
      '  File "/root/.pyenv/versions/3.11.7/lib/python3.11/pathlib.py", line 1044, in open'],
     "/x/.sandbox/pods/web-1/app/web.py", 13),
    (['  File "/app/web.py", line 13', '  File "/usr/local/lib/python3.13/pathlib/__init__.py", line 537, in open'],
     "/app/web.py", 13),
    (['  File "/opt/py/lib64/python3.13t/json/decoder.py", line 3'], "", 0),
    (["node:fs:573", "    at Object.openSync (node:fs:573:18)", "    at Object.<anonymous> (/usr/src/app/web.js:7:1)",
      "    at Module._compile (node:internal/modules/cjs/loader:1554:14)"], "/usr/src/app/web.js", 7),
    (["        /usr/local/go/src/net/http/server.go:2171", "        /go/pkg/mod/github.com/x/y@v1.2.3/y.go:5",
      "        /src/main.go:9 +0x1d"], "/src/main.go", 9),
    (['  File "/app/main.py", line 7', 'ERROR File "…/uvicorn/importer.py", line 24'], "/app/main.py", 7),
    (["Error at …/dialects/abstract/query.js:12:5"], "", 0),
    (["src/main.c:3:5: error: expected ;", "src/main.c:9:1: error: more"], "src/main.c", 3),
    (["\x1b[31m./cmd/main.go:12:2: undefined: x\x1b[0m"], "./cmd/main.go", 12),
    (["src/app.ts(12,5): error TS2304: Cannot find name 'x'."], "src/app.ts", 12),
    (["  --> src/main.rs:4:5"], "src/main.rs", 4),
    (["    at com.shop.Web.main(Web.java:12)"], "Web.java", 12),
    (["/app/node_modules/x/index.js:3", "    at /app/server.js:7:1"], "/app/server.js", 7),
    (["dial tcp 10.244.1.241:8080", "registry.example.com:5000", "https://127.0.0.1:6443"], "", 0),
    (["Dockerfile:4", "main.c:3: expected expression"], "main.c", 3),
    (["no file here", "Dockerfile:4"], "Dockerfile", 4),
    (["deploy/web.Dockerfile:4"], "deploy/web.Dockerfile", 4),
    (["Dockerfile, line 5: COPY: there is no lib in the context"], "Dockerfile", 5),
]  # fmt: skip
"""What a build wrote, and where it broke."""


@pytest.mark.parametrize(("lines", "file", "line"), PLACES)
def test_the_place_in_the_source(lines: list[str], file: str, line: int) -> None:
    story = Story("web").begin("web").phase("web", Phase.BUILD).output("web", *lines)
    story.ended("web", Phase.BUILD, 1.0, ok=False).failed("web", FailureCode.BUILD_FAILED, "`RUN x` failed: why", "")
    found = band_of(story)
    assert found is not None
    assert (found.file, found.line) == (file, line)
    assert found.decisive == (f"{file.rpartition('/')[2]}:{line}  why" if file else "why")


def test_a_place_that_the_decisive_line_has_is_not_told_twice() -> None:
    story = Story("web").begin("web").phase("web", Phase.BUILD).output("web", "main.c:3: expected ;")
    story.ended("web", Phase.BUILD, 1.0, ok=False)
    story.failed("web", FailureCode.BUILD_FAILED, "`RUN x` failed: main.c:3: expected ; (exit code 2)", "")
    found = band_of(story)
    assert found is not None
    assert found.decisive == "main.c:3: expected ;"


def test_a_place_in_the_dockerfile_that_the_failure_begins_with_is_known_and_not_told_twice() -> None:
    story = Story("web").begin("web").phase("web", Phase.BUILD, 0.1, ok=False)
    message = "web.docker, line 5: the sandbox has no engine: RUN make"
    found = band_of(story.failed("web", FailureCode.BUILD_FAILED, message, ""))
    assert found is not None
    assert (found.file, found.line) == ("web.docker", 5)
    assert (found.what, found.decisive) == ("web.docker, line 5", "the sandbox has no engine: RUN make")


def test_a_crash_names_the_place_of_the_containers_last_words() -> None:
    found = band_of(STATES["crash_loop"]())
    assert found is not None
    assert (found.where, found.file, found.line, found.decisive) == (
        "rollout", "/app/server.py", 3, "server.py:3  KeyError: 'PORT'"
    )  # fmt: skip


def test_nothing_broke() -> None:
    for state in ("verified", "building", "waiting", "paused", "lost"):
        assert band_of(STATES[state]()) is None, state


def _two_failed() -> Story:
    story = Story("web", "api", "db")
    for name in ("web", "api"):
        story.begin(name).phase(name, Phase.BUILD, 1.0, ok=False)
        story.failed(name, FailureCode.BUILD_FAILED, f"`RUN {name}` failed: why", "mend it")
    return story


def test_of_several_the_chosen_one_is_told_and_the_others_are_counted() -> None:
    first, chosen = band_of(_two_failed()), band_of(_two_failed(), "api")
    assert first is not None
    assert chosen is not None
    assert (first.service, first.others, chosen.service, chosen.others) == ("web", 1, "api", 1)


def test_one_that_builds_again_is_not_told() -> None:
    story = _two_failed().begin("web", "a.py")
    found = band_of(story, "web")
    assert found is not None
    assert (found.service, found.others) == ("api", 0)


def test_what_failed_before_a_cycle_that_was_stopped_is_not_told() -> None:
    """Its Pods may be gone, and its row says that the newest save runs nowhere."""
    story = _two_failed().begin("web", "a.py").built("web").patched("web").finished("web", ev.Outcome.STOPPED)
    found = band_of(story, "web")
    assert found is not None
    assert (found.service, found.others) == ("api", 0)
    again = band_of(story.begin("web", "a.py").failed("web", FailureCode.BUILD_FAILED, "`RUN x` failed: y", ""), "web")
    assert again is not None
    assert (again.service, again.others) == ("web", 1)


def test_what_holds_up_a_rollout_is_told_once_it_takes_longer_than_rollouts_do() -> None:
    """Programs start slowly: what may heal in a moment is no alarm."""
    story = held_up(Story("web", "api").whole("web").wait(60).whole("api"))
    assert band_of(story.wait(4.9), "web") is None
    found = band_of(story.wait(0.2), "api")
    pod = story.pod("web")
    hint = f"`kubectl describe pod {pod} -n shop` shows the probe and its answers"
    assert found == Band("web", "rollout", f"container web of Pod {pod} is not ready", NOT_READY, hint, warns=True)
    assert band_of(story.pods("web", 1, 1), "web") is None, "that Pod is ready by now"


def test_a_rollout_that_usually_takes_long_is_given_twice_that() -> None:
    story = held_up(Story("web").whole("web", took=(0.3, 0.1, 20.0, 0.1)))
    assert band_of(story.wait(39.9)) is None
    assert band_of(story.wait(0.2)) is not None


def test_what_held_up_a_rollout_is_not_told_of_a_cycle_that_ended() -> None:
    story = held_up(Story("web").whole("web")).wait(60)
    assert band_of(story.finished("web", ev.Outcome.STOPPED)) is None


def test_a_failure_of_another_service_comes_before_what_may_heal() -> None:
    story = (
        Story("web", "api").whole("web").begin("api").failed("api", FailureCode.BUILD_FAILED, "`RUN x` failed: y", "")
    )
    found = band_of(held_up(story).wait(60), "web")
    assert found is not None
    assert (found.service, found.warns) == ("api", False)


def test_a_dependent_is_not_told() -> None:
    story = Story("web").begin("web").built("web")
    assert band_of(story.failed("web", FailureCode.DEPENDENCY_FAILED, "db failed", "")) is None


def test_what_is_no_longer_as_it_was_proved_is_told_too_but_after_what_failed() -> None:
    found = band_of(STATES["drifted"]())
    assert found is not None
    assert found.warns
    assert found.what.endswith("to nginx:1.27, by kubectl-set")
    story = _two_failed().tell(ev.WorkloadDrifted("db", "deployment/db", "", "scaled from 1 to 3"))
    both = band_of(story, "db")
    assert both is not None
    assert both.service == "web"


RESTORED = ev.WorkloadDrifted(
    "web", "deployment/web", "devloop restore", "restored to what it was before devloop: web:v1 under Always", True
)


@pytest.mark.parametrize("state", ["verified", "broken_build", "crash_loop"])
def test_what_was_restored_is_told_without_alarm_whatever_was_before(state: str) -> None:
    found = band_of(STATES[state]().tell(RESTORED))
    assert found is not None
    assert (found.restored, found.warns, found.where, found.decisive) == (True, False, "", "")
    assert found.what == "deployment/web to what it was before devloop: web:v1 under Always"
    assert "the next save" in found.hint
    assert band_of(STATES[state]().tell(RESTORED).begin("web")) is None


_OR_ASKED = ", or a build that is asked for, lets devloop take over again"


def test_while_it_is_paused_a_save_takes_nothing_over() -> None:
    """It only gathers, and is built when somebody resumes."""
    story = STATES["broken_build"]().tell(ev.ServicePaused("web", True)).tell(RESTORED)
    for told in (
        f"a save after resuming it{_OR_ASKED}",
        f"resuming it{_OR_ASKED}",
    ):
        found = band_of(story)
        assert found is not None
        assert found.hint == told
        story.saved("web", "server.py").hold("web", ev.HoldCode.PAUSED, "", "paused")
    found = band_of(story.tell(ev.ServicePaused("web", False)))
    assert found is not None
    assert found.hint == f"the next save{_OR_ASKED}"


def test_while_it_is_paused_a_save_builds_nothing() -> None:
    story = Story("web").begin("web").failed("web", FailureCode.BUILD_FAILED, "no", f"fix it; {BUILDS_AGAIN}")
    for paused, told in ((True, "resuming it builds what is saved until then"), (False, BUILDS_AGAIN)):
        found = band_of(story.tell(ev.ServicePaused("web", paused)))
        assert found is not None
        assert found.hint == f"fix it; {told}"


def test_of_several_services_only_the_chosen_one_says_that_it_was_restored_and_after_what_failed() -> None:
    story = Story("web", "db").whole("web").whole("db").tell(RESTORED)
    assert band_of(story, "db") is None
    found = band_of(story, "web")
    assert found is not None
    assert found.restored
    failed = band_of(story.begin("db").failed("db", FailureCode.BUILD_FAILED, "it does not compile", "mend it"), "web")
    assert failed is not None
    assert failed.service == "db"


def test_all_of_it_can_be_pasted() -> None:
    found = band_of(STATES["broken_build"]())
    assert found is not None
    assert found.text.split("\n") == [
        "web build: [3/3] RUN python -m compileall -q .",
        "jobs.py:41  SyntaxError: '(' was never closed",
        "→ fix it; the next save builds again",
    ]
