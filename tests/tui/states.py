"""The states of a session that matter, each as a story; the snapshots and `look` show them."""

from collections.abc import Callable
from dataclasses import replace

from devloop.core import events as ev
from devloop.core.failure import Connection, FailureCode
from devloop.core.problems import Problem
from tests.tui.stories import Story

MEND = "fix it; the next save builds again"
FIVE = ("web", "api", "worker", "cron", "db")


def checks_running() -> Story:
    return Story("web").watching().check("cluster").check("workload deployment/web", "container web")


def check_failed() -> Story:
    story = checks_running().check("permissions in shop", "all that devloop needs")
    return story.check(
        "registry of localhost:5001/web",
        "localhost:5001 cannot be reached: connection refused",
        "is it running, and is its name right? devloop goes on by itself when it answers",
    )


def _started(*services: str, pods: int = 3) -> Story:
    story = Story(*services).watching()
    for service in services:
        story.whole(service, pods=pods)
    return story


def _chatting(story: Story, service: str, times: int = 3) -> Story:
    for at in range(times):
        story.log(service, f"GET /orders/{at} 200", '{"level":"info","msg":"order read","id":4711,"ms":12}', pod=at)
        story.wait(0.7)
    return story


def verified() -> Story:
    story = _chatting(_started("web").log("web", "listening on :80"), "web")
    story.wait(120).whole("web", "server.py", "util.py", "models.py", took=(0.3, 0.1, 1.2, 0.1))
    return _chatting(story.log("web", "listening on :80"), "web")


def building() -> Story:
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)
    story.begin("web", "routes.py").phase("web", ev.Phase.BUILD)
    story.step("web", "[1/3] FROM docker.io/library/python:3", ev.StepState.DONE, 0.0, cached=True)
    story.step("web", "[2/3] COPY . /app", ev.StepState.DONE, 0.1)
    return story.step("web", "[3/3] RUN pip install -r requirements.txt", ev.StepState.RUNNING).wait(1.4)


def rolling_out() -> Story:
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)
    story.begin("web", "routes.py").built("web").patched("web").wait(0.8)
    return story.pods("web", 1, 3, old=2).log("web", "listening on :80").wait(0.6)


def broken_build() -> Story:
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2).wait(300)
    return _break_build(story, "web")


def _break_build(story: Story, service: str) -> Story:
    step = "[3/3] RUN python -m compileall -q ."
    story.begin(service, "jobs.py").phase(service, ev.Phase.BUILD)
    story.step(service, "[1/3] FROM docker.io/library/python:3", ev.StepState.DONE, 0.0, cached=True)
    story.step(service, "[2/3] COPY . /app", ev.StepState.DONE, 0.1).wait(0.4)
    story.step(service, step, ev.StepState.FAILED, 0.3)
    story.output(
        service,
        "*** Error compiling './jobs.py'...",
        '  File "./jobs.py", line 41',
        "    queue.put((job, 1",
        "             ^",
        "SyntaxError: '(' was never closed",
    )
    story.ended(service, ev.Phase.BUILD, 0.4, ok=False)
    cause = "SyntaxError: '(' was never closed (exit code 1)"
    return story.failed(service, FailureCode.BUILD_FAILED, f"`{step}` failed: {cause}", MEND)


NOT_READY = "Readiness probe failed: HTTP probe failed with statuscode: 503"


def held_up(story: Story) -> Story:
    """A save of web, whose new Pod does not get ready."""
    story.begin("web", "x.py").built("web").patched("web").pods("web", 0, 1)
    pod = story.pod("web")
    hint = f"`kubectl describe pod {pod} -n shop` shows the probe and its answers"
    message = f"container web of Pod {pod} is not ready: {NOT_READY}"
    return story.tell(ev.WarningRaised("web", "not_ready", message, hint, story.number("web")))


def never_ready() -> Story:
    return held_up(_chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)).wait(8)


def crash_loop() -> Story:
    story = _chatting(_started("web", pods=1).wait(60).whole("web", "server.py", pods=1), "web", 1).wait(300)
    story.begin("web", "server.py").built("web").patched("web").wait(0.8)
    last = (
        "connecting to the database",
        "Traceback (most recent call last):",
        '  File "/app/server.py", line 3, in <module>',
        "    os.environ['PORT']",
        "KeyError: 'PORT'",
    )
    about, pod = "container web of Pod ", story.pod("web")
    hint = f"`kubectl logs {pod} -n shop -c web` shows all it wrote"
    story.pods("web", 0, 1, reason="Error", restarts=1).log("web", *last)
    story.tell(ev.WarningRaised("web", "crash", f"{about}{pod} ended with exit code 1", hint, story.number("web")))
    story.log("web", *last, cycle=story.number("web")).wait(1.0)
    story.pods("web", 0, 1, reason="CrashLoopBackOff", restarts=2).log("web", *last)
    story.log("web", *last, cycle=story.number("web")).ended("web", ev.Phase.ROLLOUT, 2.2, ok=False)
    message = f"{about}{pod} ended with exit code 1, twice: KeyError: 'PORT'"
    return story.failed("web", FailureCode.CRASH, message, hint)


def mismatch() -> Story:
    story = _started("web").wait(60).begin("web", "server.py").built("web").patched("web").wait(1.2)
    story.pods("web", 3, 3).ended("web", ev.Phase.ROLLOUT, 1.2).phase("web", ev.Phase.VERIFY)
    number, pod = story.number("web"), story.pod("web", 1)
    why = (
        "runs 5f2ac8017b7e, not the pushed b0b4cad03cda: admission set its pull policy to IfNotPresent, although the "
        "workload asks for Always, so the copy of localhost:5001/web:dev that node2 already had was used"
    )
    for at in range(3):
        found, text = (ev.Verdict.MISMATCH, why) if at == 1 else (ev.Verdict.MATCH, "")
        name, image = story.pod("web", at), "sha256:5f2ac8017b7e"
        story.tell(ev.PodVerified("web", number, "deployment/web", name, "node2", "web", image, found, None, text))
    story.ended("web", ev.Phase.VERIFY, 0.1, ok=False)
    message = f"container web of Pod {pod} on node2 {why}"
    hint = "find what rewrites Pods: `kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies`"
    return story.failed("web", FailureCode.MISMATCH, message, hint)


def five_verified() -> Story:
    story = _started(*FIVE)
    for at, name in enumerate(FIVE[:3]):
        story.wait(60).whole(name, "server.py", f"views/{name}.py", took=(0.3 + at, 0.1, 1.2, 0.1))
    return _chatting(story, "web")


def mixed() -> Story:
    """The example of the issue: one failed, one rolls out, one is verified, one waits, and the registry is slow."""
    story = _started("web", "api", "worker", "cron").wait(60)
    for files in (("a.py",), ("b.py",), ("server.py", "util.py", "models.py")):
        story.wait(10).whole("web", *files)
    story.wait(5).whole("worker", "jobs.py").wait(700)
    story.begin("api", "routes.py").built("api")
    story.begin("cron", "cron.py").built("cron").hold("cron", ev.HoldCode.DEPENDENCY, "worker", "waiting for worker")
    _break_build(story, "worker").log("api", "GET /orders 200", "GET /orders 200", "POST /orders 201")
    story.patched("api").wait(0.5).pods("api", 1, 3, old=2, reason="pulling").log("api", "listening on :80")
    return story.wait(0.4)


def waiting() -> Story:
    story = Story("db", "api", "web").watching()
    story.begin("db").begin("api").begin("web").built("db").built("api").built("web")
    story.hold("api", ev.HoldCode.DEPENDENCY, "db", "waiting for db")
    story.hold("web", ev.HoldCode.DEPENDENCY, "api", "waiting for api")
    return story.patched("db").wait(0.6).pods("db", 0, 1).wait(0.3)


def paused() -> Story:
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)
    story.tell(ev.ServicePaused("web", True))
    story.wait(3).saved("web", "server.py").hold("web", ev.HoldCode.PAUSED, "", "paused")
    return story.wait(4).saved("web", "server.py", "util.py").wait(2)


def lost() -> Story:
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)
    story.lost(Connection.CLUSTER, "the cluster at https://127.0.0.1:6443 does not answer: connection refused")
    story.saved("web", "server.py")
    return story.hold("web", ev.HoldCode.CONNECTION, "cluster", "waiting for the cluster").wait(5)


def drifted() -> Story:
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)
    what = "image of web was changed from localhost:5001/web:dev to nginx:1.27"
    return story.wait(20).tell(ev.WorkloadDrifted("web", "deployment/web", "kubectl-set", what)).wait(3)


def restored() -> Story:
    """`R`, after a save that did not build."""
    what = "restored to what it was before devloop: localhost:5001/web:v1 under IfNotPresent"
    drift = ev.WorkloadDrifted("web", "deployment/web", "devloop restore", what, restored=True)
    return broken_build().wait(20).tell(drift).wait(3)


def refused() -> Story:
    """An edit that cannot be used, while the loop goes on by what was in force."""
    story = _chatting(_started("web").wait(60).whole("web", "server.py"), "web", 2)
    wrong = (
        Problem("devloop.toml", 14, "services.web.wacth", "is no key of a service", "did you mean `watch`?"),
        Problem("devloop.toml", 21, "loop.parallel_builds", "`0` is too small", "write at least 1"),
    )
    return story.wait(20).tell(ev.ConfigRefused("devloop.toml", wrong)).wait(3)


def among_five(state: Callable[[], Story]) -> Story:
    """The same of one service, with four others that were verified before."""
    own, story = state(), Story(*FIVE).watching()
    for at, name in enumerate(FIVE[1:]):
        story.wait(20).whole(name, "server.py", f"views/{name}.py", took=(0.3 + at, 0.1, 1.2, 0.1))
    later = story.now - own.records[0].time
    story.records += [replace(record, time=record.time + later) for record in own.records[1:]]
    story.now = own.now + later
    return story


def thirty() -> Story:
    names = [f"service-{at:02d}" for at in range(1, 31)]
    story = _started(*names, pods=1)
    story.begin("service-17", "main.go").phase("service-17", ev.Phase.BUILD).wait(0.5)
    return _break_build(story, "service-23")


def long_names() -> Story:
    name = "customer-relationship-notifications-dispatcher"
    story = _started(name, "web").wait(30)
    deep = "packages/backend/notifications/templates/customer_relationship_reminder_template.html"
    story.whole(name, deep, "b.py", took=(12.3, 0.1, 81.2, 0.1)).wait(5)
    long = "the quick brown fox jumps over the lazy dog and " * 6
    return story.log(name, f"INFO {long}", f"ERROR {long}", "日本語のログ行です", "\x1b[32mgreen\x1b[0m and plain")


def looking_on() -> Story:
    """Somebody else works on it, and a save of this session waits."""
    story = Story("web").watching().pods("web", 3, 3)
    since = story.now - 900
    story.tell(ev.LeaseChanged("shop", "deployment/web", ev.LeaseChange.HELD, "jo@laptop/4711", since))
    hold = ev.Hold(ev.HoldCode.LEASE, "jo@laptop/4711", "read-only: jo@laptop/4711 works on deployment/web")
    story.tell(ev.CycleHeld("web", hold)).wait(5)
    return _chatting(story.log("web", "listening on :80").saved("web", "server.py"), "web", 2)


STATES: dict[str, Callable[[], Story]] = {
    story.__name__: story
    for story in (
        checks_running, check_failed, verified, building, rolling_out, broken_build, crash_loop, never_ready, mismatch,
        five_verified, mixed, waiting, paused, looking_on, lost, drifted, restored, refused, thirty, long_names,
    )
}  # fmt: skip
