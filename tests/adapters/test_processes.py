"""Real processes: what they write arrives, and nothing of them is left after a cancellation."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devloop.adapters.processes import capture, run

STUBBORN = "trap '' INT; echo ready; while :; do sleep 1; done"


class Lifeline:
    """A FIFO that a process holds open for writing: it reads as ended once every holder is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def cut(self) -> bool:
        """Wait until nobody holds it any more."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[bool] = loop.create_future()

        def read() -> None:
            if not os.read(self._fd, 4096) and not ended.done():
                ended.set_result(True)

        loop.add_reader(self._fd, read)
        try:
            return await ended
        finally:
            loop.remove_reader(self._fd)

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    line = Lifeline(tmp_path / "lifeline")
    yield line
    line.close()


class Ready:
    """Collects output, and tells when the child said `ready`."""

    def __init__(self) -> None:
        self.said = asyncio.Event()
        self.output = bytearray()

    def __call__(self, data: bytes) -> None:
        self.output.extend(data)
        if b"ready" in self.output:
            self.said.set()


def holding(lifeline: Lifeline, script: str) -> list[str]:
    return ["sh", "-c", f"exec 9>{lifeline.path}; {script}"]


async def cancel(task: "asyncio.Task[int]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_output_and_exit_code_arrive() -> None:
    finished = await capture(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (finished.returncode, finished.stdout, finished.stderr) == (3, "out\n", "err\n")


async def test_environment_and_folder_are_those_given(tmp_path: Path) -> None:
    finished = await capture(["/bin/sh", "-c", "echo $A-$HOME; pwd"], env={"A": "b"}, cwd=tmp_path)
    assert finished.stdout == f"b-\n{tmp_path}\n"


async def test_a_child_has_no_terminal_and_no_input() -> None:
    script = "import os,sys; print(sys.stdin.read() == '', os.getsid(0) == os.getpid() == os.getpgid(0))"
    assert (await capture([sys.executable, "-c", script])).stdout == "True True\n"


async def test_a_missing_command_raises() -> None:
    with pytest.raises(FileNotFoundError):
        await run(["/does/not/exist"])


async def test_death_by_a_signal_is_a_negative_code() -> None:
    assert await run(["sh", "-c", "kill -KILL $$"]) == -signal.SIGKILL


async def test_cancelling_interrupts_first(lifeline: Lifeline) -> None:
    ready = Ready()
    script = "trap 'echo interrupted; exit 0' INT; echo ready; while :; do sleep 0.01; done"
    task = asyncio.create_task(run(holding(lifeline, script), on_stdout=ready, grace=30))
    await ready.said.wait()
    await cancel(task)
    assert b"interrupted" in ready.output
    assert await lifeline.cut()


async def test_cancelling_kills_what_ignores_the_interrupt(lifeline: Lifeline) -> None:
    ready = Ready()
    task = asyncio.create_task(run(holding(lifeline, STUBBORN), on_stdout=ready, grace=0.05))
    await ready.said.wait()
    await cancel(task)
    assert await lifeline.cut()


async def test_cancelling_kills_grandchildren_that_outlive_the_child(lifeline: Lifeline) -> None:
    ready = Ready()
    script = f"({STUBBORN}) & trap 'exit 0' INT; wait"
    task = asyncio.create_task(run(holding(lifeline, script), on_stdout=ready, grace=30))
    await ready.said.wait()
    await cancel(task)
    assert await lifeline.cut()


async def test_a_second_cancellation_does_not_wait_for_the_grace(lifeline: Lifeline) -> None:
    ready = Ready()
    task = asyncio.create_task(run(holding(lifeline, STUBBORN), on_stdout=ready, grace=3600))
    await ready.said.wait()
    task.cancel()
    await asyncio.sleep(0)  # the first cancellation is delivered
    await cancel(task)
    assert await lifeline.cut()


@pytest.mark.parametrize("turns", range(6))
async def test_cancelling_during_the_start_leaves_nothing(lifeline: Lifeline, turns: int) -> None:
    keep = os.open(lifeline.path, os.O_WRONLY)
    task = asyncio.create_task(run(["sh", "-c", f"exec 9>{lifeline.path}; {STUBBORN}"], grace=0.01))
    for _ in range(turns):
        await asyncio.sleep(0)
    await cancel(task)
    os.close(keep)
    assert await lifeline.cut()


async def test_a_start_that_fails_while_being_cancelled_ends_as_cancelled() -> None:
    task = asyncio.create_task(run(["/does/not/exist"]))
    await asyncio.sleep(0)
    await cancel(task)


async def test_a_daemon_that_keeps_the_output_open_does_not_hold_the_result(lifeline: Lifeline) -> None:
    script = f"({STUBBORN}) & echo $!"
    output = bytearray()
    assert await run(holding(lifeline, script), on_stdout=output.extend) == 0
    os.kill(int(output.split()[0] if output.split()[0] != b"ready" else output.split()[1]), signal.SIGKILL)
    assert await lifeline.cut()


async def test_a_command_that_takes_too_long_is_ended(lifeline: Lifeline) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await capture(holding(lifeline, "exec sleep 60"))
    assert await lifeline.cut()


async def test_a_reader_that_raises_ends_the_child(lifeline: Lifeline) -> None:
    def read(_: bytes) -> None:
        raise ValueError("not understood")

    with pytest.raises(ValueError, match="not understood"):
        await run(holding(lifeline, STUBBORN), on_stdout=read, grace=0.01)
    assert await lifeline.cut()
