"""`devloop.toml` is edited while devloop runs: services come, change and go."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.asking import until
from tests.e2e.harness import registry_digest, run
from tests.e2e.shop import READS, Shop
from tests.e2e.tmux import Tmux

pytestmark = [pytest.mark.shared, pytest.mark.timeout(180)]

MARKED = ("ARG MARK=none", "ENV MARK=$MARK")
SAYS = "echo $MARK; cat message.txt; echo"


def _mark(shop: Shop, name: str) -> str:
    """What the build wrote into the image that the Pod runs."""
    return _said(shop, name)[0]


def _with_mark(shop: Shop, name: str, mark: str) -> str:
    return shop.service(name, build=f'{{ context = "{name}", args = {{ MARK = "{mark}" }} }}')


def _message(shop: Shop, name: str) -> str:
    return _said(shop, name)[1]


def _said(shop: Shop, name: str) -> list[str]:
    """What the Pod that devloop made said first; it may be proved a moment before it has said anything."""
    (pod,) = [
        each["metadata"]["name"] for each in shop.pods(name) if "devloop/build" in each["metadata"]["annotations"]
    ]

    def said() -> list[str]:
        return shop.run("logs", pod, "-c", name).splitlines()

    until(lambda: len(said()) > 1, f"{pod} has said its mark and its message")
    return said()


def test_a_session_follows_its_configuration(shop: Shop) -> None:
    """Add a service, change the first, break the file and mend it, remove the second; the loop works all along."""
    for name in ("web", "worker"):
        shop.source(name, *MARKED, says=SAYS)
    shop.deploy("web")
    shop.running("worker", says=SAYS)
    shop.configure(_with_mark(shop, "web", "one"))
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        assert _mark(shop, "web") == "one"
        before = shop.replica_sets("web")

        shop.configure(_with_mark(shop, "web", "one"), shop.service("worker"))
        devloop.wait_for("config_accepted")
        devloop.wait_for("service_added", service="worker")
        devloop.wait_for("cycle_finished", service="worker", outcome="verified")
        assert shop.digests("worker") == {("worker", registry_digest(f"{shop.image('worker')}:dev"))}
        (shop.folder / "worker" / "message.txt").write_text("saved")
        devloop.wait_for("cycle_finished", service="worker", outcome="verified")
        assert _message(shop, "worker") == "saved"
        devloop.drain()
        assert shop.replica_sets("web") == before
        assert len(devloop.of("cycle_started", service="web")) == 1
        status = run(shop.folder, "status", "-o", "json")
        assert {each["service"] for each in json.loads(status.stdout)["status"]} == {"web", "worker"}

        shop.configure(_with_mark(shop, "web", "two"), shop.service("worker"))
        assert devloop.wait_for("service_changed", service="web")["keys"] == ["build.args"]
        started = devloop.wait_for("cycle_started", service="web")
        assert (started["trigger"], started["text"]) == ("config", "build.args")
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        assert _mark(shop, "web") == "two"

        shop.configure(_with_mark(shop, "web", "three"), shop.service("worker", 'wacth = "worker"'))
        refused = devloop.wait_for("config_refused")
        assert [(each["file"], each["key"]) for each in refused["problems"]] == [
            ("devloop.toml", "services.worker.wacth")
        ], refused
        waited = run(shop.folder, "wait")
        assert waited.returncode == 2, waited
        assert "wacth" in waited.stderr
        (shop.folder / "web" / "message.txt").write_text("while it is broken")
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        assert (_message(shop, "web"), _mark(shop, "web")) == ("while it is broken", "two")

        shop.configure(_with_mark(shop, "web", "two"))
        devloop.wait_for("config_accepted")
        removed = devloop.wait_for("service_removed", service="worker")
        assert (removed["left"], removed["namespace"]) == (["deployment/worker"], shop.namespace)
        assert run(shop.folder, "wait", "web").returncode == 0
        gone = run(shop.folder, "trigger", "worker")
        assert (gone.returncode, gone.stderr.splitlines()[0]) == (2, "no session runs for the service worker")
        (shop.folder / "worker" / "message.txt").write_text("nobody looks")
        (shop.folder / "web" / "message.txt").write_text("the last")
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        assert (_message(shop, "web"), _message(shop, "worker")) == ("the last", "saved")
        assert devloop.stop() == 130
    last = devloop.events.index(removed)
    assert [e["event"] for e in devloop.events[last + 1 :] if e.get("service") == "worker"] == []
    assert len(devloop.of("config_refused")) == 1
    left = [line for line in devloop.errors if line.startswith("left deployment/worker")]
    assert len(left) == 1, devloop.errors
    restored = run(shop.folder, "restore", "deployment/worker", "-n", shop.namespace)
    assert restored.returncode == 0, restored
    assert "devloop/active" not in shop.get("worker")["metadata"].get("labels", {})


@pytest.mark.e2e  # no build takes long in a sandbox
def test_a_removed_service_ends_in_its_build_and_a_changed_one_in_its_rollout(shop: Shop) -> None:
    """The one is never patched again; the other's next patch is by what the file says then, and its save is in it."""
    shop.source("web", *MARKED, says=SAYS)
    shop.deploy("web")
    slow = shop.source("slow", "RUN if [ -e /slow.txt ]; then sleep 100; fi")
    shop.deploy("slow")
    shop.configure(_with_mark(shop, "web", "one"), shop.service("slow"))
    with shop.start() as devloop:
        for _ in range(2):
            devloop.wait_for("cycle_finished", outcome="verified")
        patched = shop.get("slow")["metadata"]["generation"]
        # Of this test alone: a build of the same that somebody let run to its end would be in BuildKit's cache.
        (slow / "slow.txt").write_text(f"the next build takes long in {shop.namespace}")
        while "sleep 100" not in devloop.wait_for("build_step", service="slow", cycle=2)["name"]:
            pass
        (shop.folder / "web" / "message.txt").write_text("two")
        devloop.wait_for("workload_patched", service="web", cycle=2)
        shop.configure(_with_mark(shop, "web", "two"))
        (shop.folder / "web" / "message.txt").write_text("saved meanwhile")
        devloop.wait_for("service_removed", service="slow")
        devloop.ever("service_changed", service="web")
        waited = run(shop.folder, "wait", "web")
        assert waited.returncode == 0, waited
        assert (_mark(shop, "web"), _message(shop, "web")) == ("two", "saved meanwhile")
        assert shop.get("slow")["metadata"]["generation"] == patched
        assert devloop.stop() == 130
    assert devloop.of("cycle_finished", service="slow", cycle=2)[0]["outcome"] == "stopped"
    builders = subprocess.run(["pgrep", "-af", str(slow)], capture_output=True, text=True, check=False).stdout
    assert "buildx" not in builders


def test_what_an_added_service_lacks_is_told_and_asked_for_again(shop: Shop) -> None:
    for name in ("web", "late"):
        shop.source(name)
    shop.deploy("web")
    shop.configure(shop.service("web"))
    with shop.start() as devloop:
        devloop.wait_for("cycle_finished", service="web", outcome="verified")
        shop.configure(shop.service("web"), shop.service("late"))
        refused = devloop.wait_for("config_refused")
        assert "deployment/late" in refused["problems"][0]["message"]
        shop.deploy("late")
        devloop.wait_for("config_accepted")
        devloop.wait_for("cycle_finished", service="late", outcome="verified")
        assert devloop.stop() == 130
    assert len(devloop.of("config_refused")) == 1


def test_once_ignores_edits(shop: Shop) -> None:
    for name in ("web", "more"):
        shop.source(name)
        shop.deploy(name, {**shop.container(name), "readinessProbe": {**READS, "initialDelaySeconds": 2}})
    shop.configure(shop.service("web"))
    with shop.start("--once") as devloop:
        devloop.wait_for("phase_started", phase="rollout")
        shop.configure(shop.service("web"), shop.service("more"))
        assert devloop.finish() == 0, devloop.said()
    assert devloop.outcomes("web") == ["verified"]
    assert not [event for event in devloop.events if event.get("service") == "more"]


@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux, the terminal that this test looks at")
def test_a_row_comes_and_goes_and_what_is_wrong_is_on_the_screen(shop: Shop, tmp_path: Path) -> None:
    for name in ("web", "api", "worker"):
        shop.source(name)
        shop.deploy(name, {**shop.container(name), "readinessProbe": READS})
    shop.configure(shop.service("web"), shop.service("api"))
    with Tmux(tmp_path) as tmux:
        tmux.devloop("up")
        tmux.until("2 verified")
        shop.configure(shop.service("web"), shop.service("api"), shop.service("worker"))
        tmux.until(" worker", "VERIFIED 1/1")
        tmux.until("3 verified")
        shop.configure(shop.service("web"), shop.service("api"), shop.service("worker", "ignore = 3"))
        tmux.until("! devloop.toml refused")
        tmux.until("✘ devloop.toml", "services.worker.ignore", "e edit")
        tmux.until("must be a string or a list, not a whole number")
        shop.configure(shop.service("web"), shop.service("api"))
        tmux.until("2 verified", without="refused")
        tmux.press("C-c")
        tmux.until("code=130")
