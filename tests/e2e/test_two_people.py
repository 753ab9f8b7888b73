"""Two sessions on one Deployment: who writes, who looks on, and what is left of it."""

import json
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from devloop.adapters.thisprocess import this_process
from tests.e2e.harness import Devloop, Event, get, once, run
from tests.e2e.proxies import only_context, write_kubeconfig
from tests.e2e.shop import Shop, lines_of_json

pytestmark = [pytest.mark.shared, pytest.mark.timeout(150)]
knows_its_machine = pytest.mark.skipif(
    not this_process("").machine,
    reason="needs a machine with a name (/etc/machine-id): whether a process ended is told by it",
)

LEASE = "devloop-web"


class Person:
    """A checkout of their own, a name, and a state folder; the same project."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop = Shop(shop.folder / name, shop.kubectl, shop.namespace, shop.registry)
        self.shop.folder.mkdir()
        self.name = name
        self.env = {"LOGNAME": name, "USER": name, "DEVLOOP_STATE_DIR": str(self.shop.folder / "state")}
        self.shop.source("web", message=name)
        self.shop.configure(self.shop.service("web", f'tag = "dev-{name}"'))

    def starts(self, *args: str, **env: str) -> Devloop:
        return Devloop.start(self.shop.folder, *args, env={**self.env, **env})

    def starts_after(self, first: Devloop, *args: str) -> Devloop:
        """Once the first one is at rest."""
        first.wait_for("cycle_finished", outcome="verified")
        return self.starts(*args)

    def once(self, *args: str) -> tuple[int, Devloop]:
        return once(self.shop.folder, *args, env=self.env)

    def restores(self, *args: str) -> tuple[int, str, str]:
        done = run(self.shop.folder, "restore", "web", *args, env=self.env)
        return done.returncode, done.stdout, done.stderr

    def saves(self, message: str) -> None:
        (self.shop.folder / "web" / "message.txt").write_text(message)


@pytest.fixture
def ann(shop: Shop) -> Person:
    shop.running("web")
    return Person(shop, "ann")


@pytest.fixture
def jo(shop: Shop) -> Person:
    return Person(shop, "jo")


def leases(shop: Shop) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"] for each in get(shop.kubectl, shop.namespace, "leases")["items"]}


def is_of(person: Person, identity: str, devloop: Devloop) -> bool:
    return identity.startswith(f"{person.name}@") and identity.endswith(f"/{devloop.process.pid}")


def image(shop: Shop) -> str:
    return str(shop.spec("web")["containers"][0]["image"])


def failed_checks(devloop: Devloop) -> Sequence[Event]:
    return devloop.of("check_finished", ok=False)


def held_by(shop: Shop, identity: str, *, renewed: str) -> None:
    """A Lease as somebody on another machine, or another program, would leave it."""
    spec = {"holderIdentity": identity, "leaseDurationSeconds": 5, "acquireTime": renewed, "renewTime": renewed}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": spec}
    shop.run("create", "-f", "-", stdin=json.dumps(body))


def test_the_second_one_looks_on_and_gets_going_with_its_save_when_the_first_one_ends(ann: Person, jo: Person) -> None:
    shop = ann.shop
    with ann.starts() as first, jo.starts_after(first) as second:
        spec = leases(shop)[LEASE]
        assert is_of(ann, spec["holderIdentity"], first)
        told = second.wait_for("lease_changed")
        assert (told["change"], told["holder"], told["workload"]) == ("held", spec["holderIdentity"], "deployment/web")
        assert told["since"] > 0
        assert second.wait_for("cycle_held")["hold"]["code"] == "lease"
        jo.saves("mine")
        second.wait_for("change_detected")

        ann.saves("more")
        first.wait_for("cycle_finished", outcome="verified")
        (pushed,) = {status for _, status in shop.digests("web")}
        while not any(
            pod["ready"] and pod["image_id"] == pushed for pod in second.wait_for("workload_observed")["pods"]
        ):
            """It sees the rollout of the other one."""
        assert second.of("cycle_started") == second.of("workload_patched") == []

        assert first.stop() == 130
        second.wait_for("lease_changed", change="acquired", before=spec["holderIdentity"])
        assert second.wait_for("cycle_started")["files"] == ["message.txt"]
        second.wait_for("cycle_finished", outcome="verified")
        assert image(shop).endswith(":dev-jo")
        assert second.stop() == 130
    assert leases(shop) == {}


def test_whoever_is_taken_over_says_by_whom_and_writes_no_more(ann: Person, jo: Person) -> None:
    shop = ann.shop
    with ann.starts() as first, jo.starts_after(first, "--take-over") as second:
        taken = second.wait_for("lease_changed")
        assert taken["change"] == "taken_over"
        ann.saves("more")
        second.wait_for("cycle_finished", outcome="verified")
        lost = first.wait_for("lease_changed", change="lost")
        assert lost["holder"] == taken["holder"] == leases(shop)[LEASE]["holderIdentity"]
        assert is_of(jo, lost["holder"], second)
        assert len(first.of("workload_patched")) == 1
        assert image(shop).endswith(":dev-jo")

        assert second.stop() == 130
        first.wait_for("lease_changed", change="acquired")
        first.wait_for("cycle_finished", outcome="verified")
        assert image(shop).endswith(":dev-ann")
        assert first.stop() == 130
    assert leases(shop) == {}


def test_nobody_who_looks_on_restores_what_the_other_one_works_on(ann: Person, jo: Person) -> None:
    with ann.starts() as first, jo.starts_after(first, "--on-exit", "restore") as second:
        second.wait_for("cycle_held")
        assert second.stop() == 130
        assert any(line.startswith("deployment/web is left to ann@") for line in second.errors), second.said()
        assert image(ann.shop).endswith(":dev-ann")
        assert leases(ann.shop)[LEASE]["holderIdentity"].startswith("ann@")
        assert first.stop() == 130


@knows_its_machine
def test_a_killed_session_is_taken_over_at_once_by_who_comes_and_by_who_looks_on(ann: Person, jo: Person) -> None:
    with ann.starts() as first, jo.starts_after(first) as second:
        second.wait_for("lease_changed", change="held")
        first.process.kill()
        first.process.wait()
        assert second.wait_for("lease_changed")["change"] == "acquired"
        second.wait_for("cycle_finished", outcome="verified")
        second.process.kill()
        second.process.wait()
    code, third = ann.once()
    assert code == 0, third.said()
    (told,) = third.of("lease_changed")
    assert told["change"] == "acquired"
    assert told["before"].startswith("jo@")
    assert leases(ann.shop) == {}


def test_once_ends_at_once_where_somebody_else_works(ann: Person, jo: Person) -> None:
    with ann.starts() as first:
        first.wait_for("cycle_finished", outcome="verified")
        code, second = jo.once()
        assert code == 3, second.said()
        (check,) = failed_checks(second)
        assert (check["check"], check["code"]) == ("lease of deployment/web", "workload_held")
        assert f"/{first.process.pid} works on deployment/web since " in check["message"]
        assert "--take-over" in check["hint"]
        assert second.of("cycle_started") == []
        code, second = jo.once("--take-over")
        assert (code, second.outcomes("web")) == (0, ["verified"]), second.said()
        assert first.stop() == 130


def test_a_holder_elsewhere_is_waited_for_as_long_as_its_lease_lasts(ann: Person) -> None:
    held_by(ann.shop, "argo-42", renewed="2020-01-01T00:00:00.000000Z")
    code, devloop = ann.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    held, acquired = devloop.of("lease_changed")
    assert (held["change"], held["holder"]) == ("held", "argo-42")
    assert (acquired["change"], acquired["before"]) == ("acquired", "argo-42")
    assert devloop.seconds_of(acquired) - devloop.seconds_of(held) >= 4.9, "no clock but its own says that it is over"
    assert leases(ann.shop) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_orderly_end_removes_it(ann: Person, number: signal.Signals) -> None:
    with ann.starts() as devloop:
        devloop.wait_for("lease_changed", change="acquired")
        assert LEASE in leases(ann.shop)
        assert devloop.stop(number) > 128
    assert leases(ann.shop) == {}


@knows_its_machine
def test_so_does_restore_unless_somebody_still_works(ann: Person, jo: Person) -> None:
    shop = ann.shop
    with ann.starts() as first:
        first.wait_for("cycle_finished", outcome="verified")
        code, out, err = jo.restores("--output", "json")
        assert code == 3, out + err
        (told,) = lines_of_json(out)
        assert told["failure"]["code"] == "workload_held"
        assert "ann@" in told["failure"]["message"]
        assert told["failure"]["hint"].startswith("end that session, or "), "which has no screen"
        assert "--take-over" in told["failure"]["hint"]
        assert image(shop).endswith(":dev-ann")
        code, out, err = jo.restores("--take-over")
        assert code == 0, out + err
        assert image(shop).endswith("/busybox:1")
        ann.saves("again")
        first.wait_for("cycle_finished", outcome="verified")
        assert image(shop).endswith(":dev-ann"), "whoever still works goes on with the next save"
        first.process.kill()
        first.process.wait()
    assert LEASE in leases(shop)
    code, out, err = jo.restores()
    assert code == 0, out + err
    assert image(shop).endswith("/busybox:1")
    assert leases(shop) == {}


def test_restore_waits_for_a_holder_elsewhere_that_seems_gone_and_says_so(ann: Person) -> None:
    held_by(ann.shop, "argo-42", renewed="2020-01-01T00:00:00.000000Z")
    code, out, err = ann.restores()
    assert code == 0, out + err
    assert "deployment/web: argo-42 works on it and seems to be gone" in err
    assert leases(ann.shop) == {}


@pytest.mark.e2e  # everybody may do everything in a sandbox
def test_without_the_right_to_leases_there_is_a_warning_and_it_goes_on(ann: Person) -> None:
    shop = ann.shop
    shop.run("create", "serviceaccount", "dev")
    needed = ("--verb=get,list,watch,patch", "--resource=deployments.apps,replicasets.apps,pods,pods/log,events")
    shop.run("create", "role", "dev", *needed)
    shop.run("create", "rolebinding", "dev", "--role=dev", f"--serviceaccount={shop.namespace}:dev")
    config = only_context(shop.kubectl)
    config["users"][0]["user"] = {"token": shop.run("create", "token", "dev").strip()}
    path = write_kubeconfig(shop.folder / "kubeconfig", config)
    with ann.starts(KUBECONFIG=str(path)) as devloop:
        devloop.wait_for("lease_changed", change="unguarded")
        devloop.wait_for("cycle_finished", outcome="verified")
        ann.saves("more")
        devloop.wait_for("cycle_finished", outcome="verified")
        assert devloop.stop() == 130
    (warning,) = devloop.of("warning_raised", code="lease")
    assert shop.namespace in warning["message"]
    assert "kubectl auth can-i create leases" in warning["hint"]
    assert leases(shop) == {}
