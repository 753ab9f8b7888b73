"""An API server in trouble: versions that it forgot, silence, conflicts, credentials that it takes no more."""

import pytest

from tests.faults.httpproxy import patches, watches
from tests.faults.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(300)]
short = pytest.mark.short

EXPIRED = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
CONFLICT = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "Conflict",
    "code": 409,
    "message": 'Operation cannot be fulfilled on deployments.apps "web": the object has been modified',
}
REFUSED = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401}


@short
@pytest.mark.parametrize("inside", [False, True], ids=["status", "event"])
def test_watches_that_stand_on_a_forgotten_version_begin_anew(stage: Stage, inside: bool) -> None:
    """410 Gone, as the answer to a watch and inside of one: nobody has to hear of it, and nothing is missed."""
    api, scene = stage.api, stage.scene
    status, body = (200, {"type": "ERROR", "object": EXPIRED}) if inside else (410, EXPIRED)
    with stage.session() as session:
        api.answer(status, body, only=watches, times=4)
        api.cut()
        scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=2")
        session.until("workload_observed", desired=2, ready=2)
        session.save("two")
        session.ends_with("two", count=2)
        scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=1")
        session.until("workload_observed", desired=1, ready=1)
        session.ends_with("two")
        assert not session.devloop.of("connection_changed")


def test_watches_that_fall_silent_are_opened_anew(stage: Stage) -> None:
    """A connection that hangs without being closed: requests are answered, and what is watched never arrives."""
    api = stage.api
    with stage.session() as session:
        api.silence(watches)
        session.save("two")
        session.until("workload_patched", cycle=2)
        session.ends_with("two")


@short
def test_a_conflict_is_tried_again(stage: Stage) -> None:
    """Somebody else changes the workload between the look at it and the patch."""
    api = stage.api
    with stage.session() as session:
        api.answer(409, CONFLICT, only=patches, times=2)
        session.save("two")
        session.ends_with("two")
        assert not session.devloop.of("cycle_finished", outcome="failed")


@short
def test_credentials_that_have_expired(stage: Stage) -> None:
    """Nothing that was saved meanwhile is lost, and one login is enough."""
    api = stage.api
    with stage.session() as session:
        api.answer(401, REFUSED)
        session.save("two")
        session.told("cluster_login", "401", "log in again")
        api.mend()
        session.ends_with("two")


def test_credentials_that_have_expired_while_watches_end(stage: Stage) -> None:
    api = stage.api
    with stage.session() as session:
        api.answer(401, REFUSED)
        api.cut()
        session.lost("cluster", "401")
        session.save("two")
        session.until("cycle_held")
        api.mend()
        session.back("cluster")
        session.ends_with("two")


def test_a_server_that_is_overloaded(stage: Stage) -> None:
    api = stage.api
    with stage.session() as session:
        api.answer(429, {**CONFLICT, "code": 429, "reason": "TooManyRequests"}, only=patches)
        session.save("two")
        session.told("cluster_unreachable")
        api.mend()
        session.back("cluster")
        session.ends_with("two")
