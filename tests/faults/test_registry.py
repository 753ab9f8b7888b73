"""A registry in trouble: with errors, without haste, and with lies. What is saved then runs when it is over."""

import pytest

from tests.e2e.harness import registry_digest
from tests.faults.httpproxy import Headers, Request, pushes, uploads
from tests.faults.stage import FULL, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.faults, pytest.mark.timeout(240)]
short = pytest.mark.short


@short
def test_errors_of_its_own(both: Stage) -> None:
    registry = both.registry
    with both.session() as session:
        registry.answer(500)
        session.save("two")
        session.told("registry_unreachable", "500", registry.host)
        registry.mend()
        session.back("registry")
        session.ends_with("two")


def test_too_many_requests(both: Stage) -> None:
    """Only pushes are limited: the registry answers whoever asks whether it is back."""
    registry = both.registry
    with both.session() as session:
        registry.answer(429, only=uploads, Retry_After="60")
        session.save("two")
        session.told("registry_unreachable", registry.host)
        registry.mend()
        session.back("registry")
        session.ends_with("two")


@short
def test_a_registry_that_asks_to_wait_a_moment_is_asked_again(stage: Stage) -> None:
    registry = stage.registry
    with stage.session() as session:
        registry.answer(429, only=uploads, times=1, Retry_After="1")
        session.save("two")
        session.ends_with("two")
        assert not session.devloop.of("cycle_finished", outcome="failed")


def test_credentials_that_are_refused_for_a_while(both: Stage) -> None:
    registry = both.registry
    with both.session() as session:
        registry.answer(401, WWW_Authenticate='Basic realm="test"')
        session.save("two")
        session.told("registry_denied", registry.host, "docker login")
        registry.mend()
        session.trigger()
        session.ends_with("two")


def test_a_push_that_takes_long_is_waited_for(both: Stage) -> None:
    registry = both.registry
    with both.session() as session:
        registry.slow(6, only=pushes)
        session.save("two")
        session.ends_with("two")
        assert not session.devloop.of("connection_changed")
        assert not session.devloop.of("cycle_finished", outcome="failed")


def test_a_save_supersedes_a_push_that_takes_long(both: Stage) -> None:
    registry = both.registry
    with both.session() as session:
        registry.slow(8, only=pushes)
        session.save("two")
        session.until("phase_started", phase="push", cycle=2)
        registry.mend()
        session.save("three")
        session.ends_with("three")


def test_a_registry_that_shows_an_older_image_is_not_believed(both: Stage) -> None:
    """As a mirror does that is behind: what was pushed is not what the tag holds."""
    registry = both.registry
    with both.session() as session:
        old = registry_digest(f"{both.scene.image}:dev")
        registry.alter_reads("manifests/dev", f"manifests/{old}")
        session.save("two")
        session.told("registry_moved", "somebody else pushed to the same tag")
        assert not session.devloop.of("cycle_finished", outcome="verified", cycle=2)
        registry.mend()
        session.trigger()
        session.ends_with("two")


def lie(request: Request, headers: Headers) -> None:
    if request.method == "HEAD" and "/manifests/dev" in request.path:
        headers["Docker-Content-Digest"] = f"sha256:{'0' * 64}"


def test_a_digest_in_a_header_counts_for_nothing(stage: Stage) -> None:
    """What is compared is the digest of the content, which cannot lie."""
    registry = stage.registry
    with stage.session() as session:
        registry.alter(lie)
        session.save("two")
        session.ends_with("two")


def test_a_digest_in_a_header_that_the_engine_believes(stage: Stage) -> None:
    """It asks for what it has just pushed by that digest, and finds nothing: that is no mistake in the Dockerfile."""
    registry, stage.build = stage.registry, FULL
    with stage.session() as session:
        registry.alter(lie)
        session.save("two")
        session.told("push_failed", "manifest unknown", registry.host)
        registry.mend()
        session.trigger()
        session.ends_with("two")


@short
def test_tags_that_cannot_be_moved(both: Stage) -> None:
    """As in registries with immutable tags: the first push works, and no other."""
    registry, words = both.registry, {"errors": [{"code": "TAG_INVALID", "message": "tag dev is immutable"}]}
    with both.session() as session:
        registry.answer(400, words, only=pushes)
        session.save("two")
        session.told("push_failed", "tag dev is immutable", "tag")
        registry.mend()
        session.trigger()
        session.ends_with("two")


def test_a_push_whose_connection_breaks(both: Stage) -> None:
    registry = both.registry
    with both.session() as session:
        registry.first(registry.cut, only=uploads)
        session.save("two")
        session.ends_with("two")


def test_the_session_begins_while_it_answers_with_errors(stage: Stage) -> None:
    """Nothing is begun that could not be finished."""
    stage.build = FULL
    stage.registry.answer(503)
    stage.prepare()
    code, devloop = stage.scene.once(env=stage.way.env)
    assert code == 3, devloop.said()
    assert devloop.of("check_finished", code="registry_unreachable"), devloop.said()
    assert not stage.scene.patched()
