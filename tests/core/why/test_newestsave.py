"""What a session that runs says of the newest save, beside what the cluster shows."""

from dataclasses import replace
from typing import Any

import pytest

from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.why.cause import CauseCode, Link
from devloop.core.why.chain import chain, first_broken
from devloop.core.why.diagnosis import diagnose, exit_code
from devloop.core.why.facts import Facts, NewestSave, Push, RegistryImage, SavedFile, Settled
from tests.core.why.scenes import AFTER, ALWAYS, facts, running
from tests.core.why.test_workload_causes import FINE, codes, crashing, source, unfinished
from tests.core.workloads import REPOSITORY, digest

BROKEN = Failure(FailureCode.BUILD_FAILED, "`[2/2] COPY nothing .` failed: /nothing: not found", "mend the step")
FAILED = NewestSave(
    "1a2b", "web", "Dockerfile", AFTER, "the cluster runs your 14:02 save", "build",
    failure=BROKEN, place="web/Dockerfile:4", fix="mend the step",
)  # fmt: skip
WAITS = replace(FAILED, failure=None, place="", phase="", waits="waiting for db", fix="devloop wait web")


SETTLED = Settled("1a2b", "web", "/work/web", "app.py", AFTER)


def of(saved: NewestSave, found: Facts = FINE) -> Facts:
    return replace(found, saved=saved)


def test_a_build_that_failed_is_told_in_its_own_words_with_its_place() -> None:
    (cause,) = causes = diagnose(of(FAILED))
    assert (cause.code, cause.reason, cause.fix) == (CauseCode.CYCLE_FAILED, FailureCode.BUILD_FAILED, "mend the step")
    assert cause.message == (
        "the build of the newest save (Dockerfile) failed: `[2/2] COPY nothing .` failed: /nothing: not found "
        "(web/Dockerfile:4); the cluster runs your 14:02 save"
    )
    assert [(each.source, each.time) for each in cause.evidence] == [("devloop up, session 1a2b", AFTER)]
    assert exit_code(causes) is ExitCode.UNPROVEN
    readings = chain(of(FAILED), causes)
    assert first_broken(readings, causes) is Link.SOURCE
    assert [r.text for r in readings if r.link is Link.SOURCE] == ["Dockerfile is the newest save, of"]
    assert "runs aaaaaaaaaaaa, what was pushed last" in readings[-1].text, "which is not the newest"


@pytest.mark.parametrize(
    ("message", "place", "told"),
    [
        ("Dockerfile, line 5: nothing is there", "web/Dockerfile:5", False),
        ("web/Dockerfile:5: nothing is there", "web/Dockerfile:5", False),
        ("Dockerfile, line 5: nothing is there", "web/jobs.py:41", True),
        ("nothing is there", "", False),
    ],
)
def test_a_place_that_the_message_names_is_not_told_twice(message: str, place: str, told: bool) -> None:
    failure = Failure(FailureCode.BUILD_FAILED, message)
    (cause,) = diagnose(of(replace(FAILED, failure=failure, place=place)))
    assert (f"({place})" in cause.message) is told


def test_a_save_that_waits_says_for_what() -> None:
    (cause,) = causes = diagnose(of(WAITS))
    assert (cause.code, cause.fix) == (CauseCode.PENDING, "devloop wait web")
    assert cause.message == "Dockerfile is not live yet: waiting for db; the cluster runs your 14:02 save"
    assert exit_code(causes) is ExitCode.UNPROVEN
    (asked,) = diagnose(of(replace(WAITS, what="")))
    assert asked.message.startswith("what was asked for last is not live yet")


def test_it_comes_first_and_takes_the_place_of_guesses_from_the_times_of_files() -> None:
    old = facts(running("one", "b"), running("two", "b"), source=source(SavedFile("app.py", AFTER)))
    assert codes(old)[0] == CauseCode.NOT_BUILT
    for saved, code in ((FAILED, CauseCode.CYCLE_FAILED), (WAITS, CauseCode.PENDING)):
        assert codes(of(saved, old)) == [code, CauseCode.NODE_CACHE]
    left_out = replace(old, source=source(newest=SavedFile("notes", AFTER, "notes")))
    assert CauseCode.NOT_BUILT in codes(of(FAILED, left_out)), "the session knows nothing of that file"


def test_a_rollout_that_failed_is_told_by_what_is_to_be_seen_of_it() -> None:
    refused = Failure(FailureCode.PATCH_REJECTED, "deployment/web was not patched: denied by policy", "ask for it")
    failed = replace(FAILED, phase="rollout", failure=refused, place="")
    (cause,) = diagnose(of(failed))
    assert (cause.code, cause.reason) == (CauseCode.ROLLOUT_STUCK, FailureCode.PATCH_REJECTED)
    assert "the rollout of the newest save (Dockerfile) failed: deployment/web was not patched" in cause.message
    crash = unfinished(crashing())
    assert codes(crash) == [CauseCode.ROLLOUT_STUCK]
    assert diagnose(of(failed, crash)) == diagnose(crash)


def test_a_rollout_that_is_under_way_is_no_old_image() -> None:
    rolling = replace(WAITS, phase="rollout", waits="its cycle 3 is in the phase rollout")
    assert codes(of(rolling, facts(running("one", "b"))))[0] == CauseCode.PENDING, "it has not patched yet"
    assert codes(of(replace(FAILED, phase="verify"))) == [], "what a verdict rests on is to be seen in the cluster"


def test_a_service_that_never_ran_is_not_told_to_run_while_its_first_cycle_fails() -> None:
    never = replace(FINE, expected=ImageRef.parse(f"{REPOSITORY}:other"), source=source())
    assert CauseCode.NEVER_RUN not in codes(of(FAILED, never))


def test_where_a_session_has_built_all_that_changed_the_times_of_files_tell_nothing() -> None:
    touched = replace(FINE, source=source(SavedFile("other.py", AFTER + 9)))
    assert codes(touched) == [CauseCode.NOT_BUILT]
    settled = replace(touched, settled=SETTLED)
    assert codes(settled) == []
    assert chain(settled, ())[0].text == "app.py is the newest save, of"
    assert chain(replace(settled, settled=replace(SETTLED, what="")), ())[0].text.startswith("other.py is")


@pytest.mark.parametrize("last", [SavedFile("notes", AFTER + 9, "notes"), SavedFile("notes", AFTER + 9, carried=False)])
def test_a_file_that_no_build_can_take_is_told_though_a_session_runs(last: SavedFile) -> None:
    settled = replace(FINE, source=source(newest=last), settled=SETTLED)
    assert codes(settled) == [CauseCode.NOT_BUILT]
    assert chain(settled, ())[0].text == "notes is the newest save, of"


@pytest.mark.parametrize("more", [{"settled": SETTLED}, {"saved": WAITS}])
def test_while_a_session_runs_nobody_is_told_to_start_one(more: dict[str, Any]) -> None:
    pinned = replace(FINE, expected=ImageRef.parse(f"{REPOSITORY}:other"), source=source(SavedFile("app.py", AFTER)))
    assert "devloop up web --once" in [cause.fix for cause in diagnose(pinned)]
    fixes = [cause.fix for cause in diagnose(replace(pinned, **more))]
    assert "devloop trigger web" in fixes
    assert not [fix for fix in fixes if "devloop up" in fix]


def test_a_workload_that_was_restored_is_told_so_and_how_devloop_takes_over_again() -> None:
    settled = replace(SETTLED, restored=AFTER + 1)
    pushes = (Push(digest("a"), 1.0, 0.5, "verified"), Push(digest("a"), 2.0, 1.5, "unchanged"))
    (cause,) = causes = diagnose(replace(FINE, settled=settled, pushes=pushes))
    assert cause.code is CauseCode.RESTORED
    assert cause.message == (
        "deployment/web is what it was before devloop; IfNotPresent is back, so nodes may miss the next push to the tag"
    )
    assert [(each.source, each.time) for each in cause.evidence] == [("devloop up, session 1a2b", AFTER + 1)]
    assert cause.fix == "to let devloop take over again: save a change, or devloop trigger web"
    assert exit_code(causes) is ExitCode.DONE
    (cause,) = diagnose(replace(FINE, settled=replace(settled, paused=True), pushes=pushes))
    assert cause.fix == "to let devloop take over again: devloop trigger web", "a save would only gather"
    (always,) = diagnose(replace(facts(running("one", "a", policy="Always"), template=ALWAYS), settled=settled))
    assert always.message == "deployment/web is what it was before devloop"


def test_what_the_pods_of_a_restored_workload_run_decides() -> None:
    old = facts(running("one", "b"), running("two", "b"))
    causes = diagnose(replace(old, settled=replace(SETTLED, restored=AFTER)))
    assert [cause.code for cause in causes] == [*codes(old), CauseCode.RESTORED]
    assert exit_code(causes) is exit_code(diagnose(old)) is ExitCode.UNPROVEN


OF_FILES = replace(
    FINE,
    references={
        name: replace(each, registry=replace(each.registry, created=AFTER - 98, of_files=True))
        for name, each in FINE.references.items()
        if isinstance(each.registry, RegistryImage)
    },
)


def _told(found: Facts) -> dict[Link, tuple[str, float]]:
    return {each.link: (each.text, each.time) for each in chain(found, ())}


@pytest.mark.parametrize("phase", ["", "rollout"])
def test_what_was_deleted_is_told_so_and_no_older_time_beside_it(phase: str) -> None:
    """The newest file that is left in the image is older than the deletion, which is in it all the same."""
    gone = replace(SETTLED, what="page.html", deleted=1)
    saved = replace(FAILED, what="page.html", deleted=1, phase=phase)
    found = replace(OF_FILES, saved=saved) if phase else replace(OF_FILES, settled=gone)
    told = _told(found)
    assert told[Link.SOURCE] == ("page.html was deleted at", AFTER)
    text, time = told[Link.REGISTRY]
    assert (text.rpartition(" is ")[2], time) == ("aaaaaaaaaaaa", 0.0)


def test_where_no_deletion_was_pushed_the_image_has_the_time_of_its_files() -> None:
    several = replace(FAILED, what="a.py +1", deleted=2)
    assert _told(of(several, OF_FILES))[Link.SOURCE][0] == "a.py +1 were deleted at"
    for found in (of(several, OF_FILES), replace(OF_FILES, settled=SETTLED), OF_FILES):
        text, time = _told(found)[Link.REGISTRY]
        assert text.endswith(", made of files of")
        assert time == AFTER - 98


def test_a_deletion_that_failed_or_waits_is_called_so() -> None:
    (cause,) = diagnose(of(replace(FAILED, what="page.html", deleted=1)))
    assert cause.message.startswith("the build of the newest save (the deletion of page.html) failed: ")
    (cause,) = diagnose(of(replace(WAITS, what="page.html", deleted=1)))
    assert cause.message.startswith("the deletion of page.html is not live yet: ")
