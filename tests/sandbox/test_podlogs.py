"""Logs of containers, as the kubelet hands them out."""

from pathlib import Path

import pytest

from tests.sandbox.client import Api
from tests.sandbox.pods import WEB, run, runs, status, waits
from tests.sandbox.scripted import ScriptedProgram, ScriptedRuntime


async def log(api: Api, query: str = "") -> str:
    answer = await api.send("GET", f"{WEB}/log?{query}")
    assert answer.status == 200, answer
    return str(answer.body)


async def test_logs(api: Api, node: ScriptedRuntime) -> None:
    await run(api, runs)
    program = node.programs[0]
    for second in (1, 2, 3):
        program.log.write(f"line {second}", second, 5)
    assert (await log(api)).splitlines() == ["started", "line 1", "line 2", "line 3"]
    assert (await log(api, "tailLines=1&timestamps=true")) == "2026-01-01T00:00:03.000000005Z line 3\n"
    assert (await log(api, "sinceTime=2026-01-01T00:00:02.000000005Z")).splitlines() == ["line 2", "line 3"]
    assert (await log(api, "limitBytes=9")) == "started\nl"
    assert (await api.send("GET", f"{WEB}/log?container=other")).message == "container other is not valid for pod web"
    missing = await api.send("GET", f"{WEB}/log?previous=true")
    assert missing.message == 'previous terminated container "web" in pod "web" not found'
    program.exit(1)
    await api.until(WEB, lambda p: status(p)["restartCount"] == 1 and runs(p))
    assert (await log(api, "previous=true&tailLines=1")) == "line 3\n"
    assert (await log(api)) == "started\n"


async def test_a_container_that_waits_to_run_again_has_the_log_of_its_last_run(api: Api, node: ScriptedRuntime) -> None:
    node.begin = lambda program: program.exit(1)
    await run(api, waits("CrashLoopBackOff"))
    assert (await log(api)) == (await log(api, "previous=true")) == "started\n"


async def test_the_log_before_that_of_a_container_that_has_ended_is_gone(api: Api, node: ScriptedRuntime) -> None:
    def end(program: ScriptedProgram) -> None:
        program.log.write(f"run {len(node.programs)}")
        program.exit(1 if len(node.programs) == 1 else 0)

    node.begin = end
    found = await run(api, lambda p: p["status"]["phase"] == "Succeeded", restartPolicy="OnFailure")
    assert (await log(api, "tailLines=1")) == "run 2\n"
    before = status(found)["lastState"]["terminated"]
    assert before["exitCode"] == 1
    for more in ("", "&follow=true"):
        gone = await log(api, f"previous=true{more}")
        assert gone == f"unable to retrieve container logs for {before['containerID']}"


async def test_a_long_line_in_parts_is_one_line(api: Api, node: ScriptedRuntime, tmp_path: Path) -> None:
    await run(api, runs)
    stamp = "2026-01-01T00:00:01.000000000Z"
    with node.programs[0].log.path.open("a") as file:
        file.write(f"{stamp} stdout P aaa\n{stamp} stdout F bbb\n")
    assert (await log(api, "tailLines=1&timestamps=true")) == f"{stamp} aaabbb\n"


async def test_a_followed_log_ends_with_its_program(api: Api, node: ScriptedRuntime) -> None:
    await run(api, runs, restartPolicy="Never")
    program = node.programs[0]
    async with api.session.get(f"{api.server}{WEB}/log?follow=true") as reply:
        assert await reply.content.readline() == b"started\n"
        program.log.write("more")
        assert await reply.content.readline() == b"more\n"
        program.log.write("last")
        program.exit(0)
        assert await reply.content.read() == b"last\n"


async def test_a_log_before_there_is_one(api: Api, node: ScriptedRuntime) -> None:
    await run(api, waits("ImagePullBackOff"), image="r/none:1")
    answer = await api.send("GET", f"{WEB}/log")
    assert answer.status == 400
    assert answer.message == 'container "web" in pod "web" is waiting to start: trying and failing to pull image'


async def test_all_of_a_log_is_younger_than_the_largest_number(api: Api, node: ScriptedRuntime) -> None:
    await run(api, runs)
    every, since = [await api.send("GET", f"{WEB}/log{query}") for query in ("", f"?sinceSeconds={2**63 - 1}")]
    assert (since.status, since.body) == (every.status, every.body) == (200, every.body)


BAD_OPTIONS = {
    "tailLines=abc": (400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
    "tailLines=1_0": (400, 'strconv.ParseInt: parsing "1_0": invalid syntax'),
    "tailLines=9223372036854775808": (400, 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
    "sinceTime=2026-01-01T00:00:00": (
        400,
        'parsing time "2026-01-01T00:00:00" as "2006-01-02T15:04:05Z07:00": '
        'cannot parse "2026-01-01T00:00:00" as "2006"',
    ),
    "sinceSeconds=x": (400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    "sinceTime=yesterday": (
        400,
        'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ),
    "tailLines=-1": (
        422,
        'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ),
    "sinceSeconds=0": (422, 'PodLogOptions "web" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'),
    "limitBytes=0": (422, 'PodLogOptions "web" is invalid: limitBytes: Invalid value: 0: must be greater than 0'),
}


@pytest.mark.parametrize("query", BAD_OPTIONS)
async def test_options_of_a_log_that_are_none(api: Api, node: ScriptedRuntime, query: str) -> None:
    await run(api, runs)
    answer = await api.send("GET", f"{WEB}/log?{query}")
    assert (answer.status, answer.message) == BAD_OPTIONS[query]
