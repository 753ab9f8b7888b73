"""Commands of images as processes of this machine: how they start, what they see, how they end."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devloop.adapters.thisprocess import started
from devloop.sandbox.runtime.process import Container
from devloop.sandbox.runtimeport import ContainerSpec
from tests.sandbox.runtime.conftest import Run, Site, lines


async def said(container: Container, count: int = 1) -> list[str]:
    """The first lines that it wrote, once they are there."""
    async with asyncio.timeout(20):
        while len(found := lines(container)) < count:
            await asyncio.sleep(0.01)
    return [text for _, _, text in found]


async def ended(container: Container) -> tuple[int, list[str]]:
    code = await container.wait()
    return code, [text for _, _, text in lines(container)]


SHOW = "import os, sys; print(os.getcwd(), *sys.argv[1:])"
FILES = {"app/main.py": "print('main')", "app/show.py": SHOW, "app/run.sh": "#!/bin/sh\necho shell $1 $PORT\n"}
COMMANDS: dict[str, tuple[dict[str, object], list[str]]] = {
    "the image's command": ({"Cmd": ["python3", "/app/main.py"]}, ["main"]),
    "entrypoint and command": ({"Entrypoint": ["python3"], "Cmd": ["/app/main.py"]}, ["main"]),
    "arguments of the Pod": ({"args": ("/app/main.py",), "Entrypoint": ["python3"], "Cmd": ["x"]}, ["main"]),
    "a command of the Pod": ({"command": ("python3", "/app/main.py"), "Entrypoint": ["x"], "Cmd": ["y"]}, ["main"]),
    "the folder of the image": ({"WorkingDir": "/app", "Cmd": ["python3", "main.py"]}, ["main"]),
    "the folder of the Pod": ({"folder": "/app", "WorkingDir": "/", "Cmd": ["python3", "main.py"]}, ["main"]),
    "an absolute Python": ({"Cmd": ["/usr/local/bin/python3", "/app/main.py"]}, ["main"]),
    "Python by env": ({"Cmd": ["/usr/bin/env", "python3", "/app/main.py"]}, ["main"]),
    "a shell": ({"WorkingDir": "/app", "Cmd": ["/bin/sh", "-c", "python3 main.py && echo done"]}, ["main", "done"]),
    "a script of the image": ({"Cmd": ["/app/run.sh", "one"]}, ["shell one PORT"]),
    "found in PATH": ({"Env": ["PATH=/app"], "Cmd": ["run.sh", "one"]}, ["shell one PORT"]),
    "below the folder": ({"WorkingDir": "/app", "Cmd": ["./run.sh", "one"]}, ["shell one PORT"]),
}


@pytest.mark.parametrize("case", COMMANDS)
async def test_what_runs(run: Run, case: str) -> None:
    how, expected = COMMANDS[case]
    container = await run(files=FILES, **how)
    assert await ended(container) == (0, [text.replace("PORT", str(container.port)) for text in expected])


async def test_a_script_for_a_python_that_is_in_no_such_place_here(run: Run) -> None:
    script = "#!/usr/local/bin/python3.99 -s\nimport sys; print(sys.flags.no_user_site)"
    files = {"a": script, "b": "#!/usr/bin/env python3\nprint(2)"}
    assert await ended(await run(files=files, Cmd=["/a"])) == (0, ["1"])
    assert await ended(await run(files=files, Cmd=["/b"])) == (0, ["2"])


async def test_what_it_sees(run: Run, site: Site) -> None:
    names = ("A", "B", "HOSTNAME", "PORT", "HOME", "LEAK", "TMPDIR")
    program = f"import os; [print(name, os.environ.get(name)) for name in {names}]"
    os.environ["LEAK"] = "of this machine"
    try:
        container = await run(
            files={"p.py": program},
            Cmd=["python3", "/p.py"],
            Env=["A=image", "B=image"],
            env={"B": "pod", "PORT": "80"},
        )
        code, told = await ended(container)
    finally:
        del os.environ["LEAK"]
    seen = dict(line.split(" ", 1) for line in told)
    assert (code, seen["A"], seen["B"], seen["HOSTNAME"], seen["LEAK"]) == (0, "image", "pod", "app-1", "None")
    assert seen["PORT"] == str(container.port)
    assert seen["HOME"].endswith("/root/root")
    assert Path(seen["TMPDIR"]).is_dir()


async def test_paths_that_lead_out_of_the_image_end_at_its_root(run: Run) -> None:
    code, told = await ended(await run(files=FILES, folder="/../../app", command=("python3", "show.py", "/nowhere")))
    assert (code, told[0].endswith("/root/app /nowhere")) == (0, True)


async def test_each_container_has_a_root_of_its_own(run: Run, site: Site) -> None:
    program = "print(open('/f'.lstrip('/')).read()); open('f', 'w').write('changed')"
    for _ in range(2):
        assert await ended(await run(files={"p.py": program, "f": "fresh"}, Cmd=["python3", "p.py"])) == (0, ["fresh"])


async def test_a_crash_and_a_signal(run: Run) -> None:
    code, told = await ended(await run(files={"p.py": "raise SystemExit('no database')"}, Cmd=["python3", "/p.py"]))
    assert (code, told) == (1, ["no database"])
    container = await run(files={"p.py": "import os; os.kill(os.getpid(), 9)"}, Cmd=["python3", "/p.py"])
    assert await container.wait() == 137


async def test_output_without_a_newline_and_both_streams(run: Run) -> None:
    lines_of = "print('out', flush=True); print('err', file=sys.stderr); print('x' * 40000, 'no', sep='\\n', end='')"
    program = f"import sys; {lines_of}"
    container = await run(files={"p.py": program}, Cmd=["python3", "/p.py"])
    assert await container.wait() == 0
    found = lines(container)
    assert [(stream, tag, len(text)) for stream, tag, text in found if "x" in text] == [
        ("stdout", "P", 16384), ("stdout", "P", 16384), ("stdout", "F", 40000 - 2 * 16384),
    ]  # fmt: skip
    assert found[-1] == ("stdout", "F", "no")
    assert {("stdout", "F", "out"), ("stderr", "F", "err")} <= set(found)
    first = container.logs().path.read_text().split(" ")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", first)


STUBBORN = "import os, signal, time; signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'no\\n')); print('up', flush=True)\nwhile True: time.sleep(0.05)"  # noqa: E501
POLITE = "import signal, sys, time; signal.signal(signal.SIG, lambda *_: sys.exit(3)); print('up', flush=True); time.sleep(99)"  # noqa: E501


async def test_sigterm_ends_it_and_sigkill_where_that_does_not(run: Run) -> None:
    polite = await run(files={"p.py": POLITE.replace("SIG,", "SIGTERM,")}, Cmd=["python3", "/p.py"])
    await said(polite)
    await polite.stop(30)
    assert await polite.wait() == 3
    stubborn = await run(files={"p.py": STUBBORN}, Cmd=["python3", "/p.py"])
    await said(stubborn)
    stopping = asyncio.ensure_future(stubborn.stop(0.3))
    assert await said(stubborn, 2) == ["up", "no"]
    await stopping
    assert await stubborn.wait() == 137


async def test_the_images_own_stop_signal(run: Run) -> None:
    container = await run(
        files={"p.py": POLITE.replace("SIG,", "SIGUSR1,")}, Cmd=["python3", "/p.py"], StopSignal="SIGUSR1"
    )
    await said(container)
    await container.stop(30)
    assert await container.wait() == 3


def _runs(pid: int) -> bool:
    """Whether a process is there, and is more than an entry that nobody has read."""
    try:
        os.kill(pid, 0)
        return bool(started(pid))
    except ProcessLookupError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while _runs(pid):
            await asyncio.sleep(0.02)


async def test_what_it_started_ends_with_it(run: Run) -> None:
    container = await run(Cmd=["/bin/sh", "-c", "sleep 99 & echo $!; sleep 0.1"])
    pid = int((await said(container))[0])
    assert await container.wait() == 0
    await gone(pid)


NO_START = {
    "not in PATH": (["nope"], 'exec: "nope": executable file not found in $PATH: unknown'),
    "not there": (["/app/nope"], 'exec: "/app/nope": stat /app/nope: no such file or directory: unknown'),
    "no program": (["/app"], 'exec: "/app": permission denied: unknown'),
    "nothing": ([], "no command specified: unknown"),
}


@pytest.mark.parametrize("case", NO_START)
async def test_a_program_that_cannot_be_started(run: Run, case: str) -> None:
    command, words = NO_START[case]
    with pytest.raises(OSError, match="runc create failed: unable to start container process") as failed:
        await run(files=FILES, Cmd=command)
    assert str(failed.value).endswith(words)


async def test_a_file_that_is_no_program(run: Run, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="exec format error") as failed:
        await run(files={"p": "\x7fELF nonsense"}, Cmd=["/p"])
    assert str(tmp_path) not in str(failed.value)


async def test_an_image_that_the_node_does_not_have(site: Site) -> None:
    with pytest.raises(OSError, match="the node has no image x@sha256:0"):
        await site.nodes[0].start(ContainerSpec("a/b/c", "app", "x@sha256:0", (), (), {}, "", 0))


async def test_a_command_beside_it(run: Run) -> None:
    container = await run(files={"app/f": "content"}, Cmd=["/bin/sh", "-c", "sleep 99"], WorkingDir="/app")
    assert await container.execute(["cat", "f"], 20) == (0, "content")
    assert await container.execute(["cat", "/app/f"], 20) == (0, "content")
    assert await container.execute(["/bin/sh", "-c", "echo $PORT; exit 4"], 20) == (4, f"{container.port}\n")
    code, words = await container.execute(["nope"], 20)
    assert (code, 'exec: "nope": executable file not found in $PATH' in words) == (127, True)
    late = await container.execute(["/bin/sh", "-c", "sleep 99"], 0.05)
    assert late == (137, 'command timed out: "/bin/sh -c sleep 99" timed out after 0.05s')
    await container.stop(0)


async def test_remove_kills_what_runs_and_its_log_goes(run: Run, site: Site, tmp_path: Path) -> None:
    container = await run(files={"p.py": STUBBORN}, Cmd=["python3", "/p.py"])
    await said(container)
    await site.nodes[0].remove("default/app-1/u1")
    assert await container.wait() == 137
    assert list((tmp_path / "node1" / "pods").iterdir()) == []
    await site.nodes[0].remove("default/app-1/u1")


async def test_a_second_start_has_a_log_of_its_own(run: Run) -> None:
    first = await run(files=FILES, Cmd=["python3", "/app/main.py"])
    await first.wait()
    second = await run(files=FILES, Cmd=["python3", "/app/show.py"])
    await second.wait()
    assert lines(first)[0][2] == "main"
    assert lines(second)[0][2].endswith("/root")


_SANDBOX = """
import asyncio, sys
from pathlib import Path
from devloop.sandbox.registry.server import Registry
from devloop.sandbox.runtime.node import Runtime
from devloop.sandbox.runtimeport import ContainerSpec
from tests.sandbox.images import layer, push
async def main():
    async with Registry(Path(sys.argv[1], "r")) as registry, Runtime(Path(sys.argv[1], "n")) as node:
        await push(registry, "app", "dev", [layer({})], Cmd=["/bin/sh", "-c", "sleep 99 & echo $$ $!; wait"])
        pulled = await node.pull(f"{registry.host}/app:dev", "Always")
        container = await node.start(ContainerSpec("a/b/c", "app", pulled.image_id, (), (), {}, "", 0))
        while not (told := container.logs().path.read_text().split()[3:]):
            await asyncio.sleep(0.01)
        print(*told, flush=True)
        await asyncio.sleep(99)
asyncio.run(main())
"""


async def test_no_process_outlives_a_sandbox_that_is_killed(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    sandbox = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SANDBOX, str(tmp_path), env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE
    )
    assert sandbox.stdout is not None
    pids = [int(word) for word in (await sandbox.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(map(_runs, pids))
    sandbox.send_signal(signal.SIGKILL)
    await sandbox.wait()
    for pid in pids:
        await gone(pid)
