"""What a Lease says, who holds the workload, and what follows from it."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from devloop.core.lease import (
    DURATION,
    HOLDER,
    Holder,
    Lease,
    Standing,
    claimed,
    held,
    lease_body,
    lease_name,
    parse_lease,
    seems_gone,
    standing,
    takes,
)
from devloop.core.service import WorkloadKey

WEB = WorkloadKey("shop", "deployment", "web")
ME = Holder("ann", "desk", 12, "s1", "machine1", "boot-100")
JO = Holder("jo", "laptop", 4711, "s2", "machine2", "boot-200")
NOW = 1_700_000_000.25
JOS = Lease(JO, NOW - 60, NOW - 3, DURATION, 2, "77")
MINE = Lease(ME, NOW - 60, NOW - 3, DURATION, 2, "77")


@pytest.mark.parametrize(
    ("lease", "silent", "has_ended", "expected"),
    [
        (None, 0, False, Standing.FREE),
        (replace(JOS, holder=Holder("", "")), 0, False, Standing.FREE),
        (MINE, 0, False, Standing.OURS),
        (MINE, 2 * DURATION, False, Standing.OURS),
        (JOS, 0, False, Standing.HELD),
        (JOS, DURATION - 0.1, False, Standing.HELD),
        (JOS, DURATION, False, Standing.EXPIRED),
        (replace(JOS, duration=300.0), DURATION, False, Standing.HELD),
        (replace(JOS, renewed=NOW - 9999), 0, False, Standing.HELD),
        (JOS, 0, True, Standing.DEAD),
        (replace(MINE, holder=replace(ME, session="s0")), 0, False, Standing.HELD),
        (replace(JOS, holder=Holder("", "", alias="argo")), 0, False, Standing.HELD),
    ],
    ids=[
        "there is none", "nobody is named in it", "it is ours", "we could not renew it, and nobody took it",
        "another one's", "for less than it lasts", "for as long as it lasts", "it says how long it lasts",
        "another clock tells nothing", "its process has ended", "an earlier session of the same person",
        "another program's",
    ],
)  # fmt: skip
def test_whose_it_is(lease: Lease | None, silent: float, has_ended: bool, expected: Standing) -> None:
    assert standing(lease, ME, silent=silent, has_ended=has_ended) is expected


@pytest.mark.parametrize("found", Standing)
def test_only_a_holder_who_lives_keeps_it_and_not_from_whoever_takes_over(found: Standing) -> None:
    assert takes(found, take_over=False) is (found is not Standing.HELD)
    assert takes(found, take_over=True)


def test_what_is_acquired_renewed_and_taken() -> None:
    assert claimed(None, ME, NOW) == Lease(ME, NOW, NOW)
    assert claimed(MINE, ME, NOW) == replace(MINE, renewed=NOW)
    assert claimed(JOS, ME, NOW) == Lease(ME, NOW, NOW, DURATION, 3, "77")
    assert claimed(replace(JOS, duration=3600.0), ME, NOW).duration == DURATION


@pytest.mark.parametrize(("age", "gone"), [(0, False), (DURATION, False), (DURATION + 1, True), (-3600, False)])
def test_a_hint_goes_by_both_clocks(age: float, gone: bool) -> None:
    assert seems_gone(replace(JOS, renewed=NOW - age), NOW) is gone


def test_what_is_written_is_what_is_read() -> None:
    body = lease_body(WEB, JOS)
    assert body["metadata"]["name"] == "devloop-web"
    assert body["metadata"]["resourceVersion"] == "77"
    assert body["spec"]["holderIdentity"] == "jo@laptop/4711"
    assert body["spec"]["leaseDurationSeconds"] == 30
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["spec"]["renewTime"])
    assert parse_lease(json.loads(json.dumps(body))) == JOS


def test_a_new_one_names_no_version() -> None:
    assert "resourceVersion" not in lease_body(WEB, claimed(None, ME, NOW))["metadata"]


@pytest.mark.parametrize(
    ("change", "identity"),
    [
        ({"spec": {"holderIdentity": "argo"}}, "argo"),
        ({"spec": {}}, ""),
        ({"spec": None, "metadata": None}, ""),
        ({"spec": {"holderIdentity": "x\x1b[2J\ny", "leaseDurationSeconds": "30", "renewTime": "soon"}}, "x[2Jy"),
        ({"metadata": {"annotations": {"devloop/holder": "[]"}}}, "jo@laptop/4711"),
        ({"metadata": {"annotations": {"devloop/holder": '{"user": 1}'}}}, "jo@laptop/4711"),
    ],
    ids=["another's name", "nobody's", "empty", "hostile", "an odd annotation", "another odd annotation"],
)
def test_what_others_wrote(change: dict[str, Any], identity: str) -> None:
    found = parse_lease({**lease_body(WEB, JOS), **change})
    assert found.holder.identity == identity
    assert found.holder.session == ""
    assert found.duration > 0


def test_a_sign_of_life_is_a_renewal_and_not_somebodys_label() -> None:
    assert replace(JOS, version="78").sign == JOS.sign
    assert replace(JOS, renewed=NOW).sign != JOS.sign


LONG = "w" * 253


def test_names_are_apart_and_fit() -> None:
    kinds = ("deployment", "statefulset", "daemonset")
    names = ["web", "statefulset-web", "statefulset.web", LONG, LONG[:-1] + "x", "a." * 122 + "web"]
    found = {lease_name(WorkloadKey("shop", kind, name)) for kind in kinds for name in names}
    assert len(found) == len(kinds) * len(names)
    assert "devloop-web" in found
    for each in found:
        assert len(each) <= 253
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", each)


def test_the_failure_says_who_and_how_to_go_on() -> None:
    failure = held(WEB, JO.identity, "14:02:11")
    assert failure.message == "jo@laptop/4711 works on deployment/web since 14:02:11"
    assert "--take-over" in failure.hint
    assert failure.exit_code == 3


def test_a_process_number_without_end_is_none() -> None:
    holder = json.dumps({"user": "a", "host": "b", "session": "", "machine": "", "started": "", "alias": ""})
    annotation = holder.replace("{", '{"pid": 1e999, ', 1)
    raw = {"metadata": {"annotations": {HOLDER: annotation}}, "spec": {"holderIdentity": "x"}}
    assert parse_lease(raw).holder.identity == "x"


def test_a_session_of_long_names_knows_its_own_lease() -> None:
    me = Holder("u" * 100, "h" * 100, 4711, "s1", "m", "b")
    found = parse_lease(lease_body(WEB, Lease(me, 1.0, 1.0)))
    assert found.holder == me
