"""What watching costs: `python -m tests.benchmarks.watch_bench [files]`.

Makes a tree of 100,000 files in a temporary folder, watches it, and prints how long that takes, what it costs while
nothing happens, how soon a save is told, and how a branch switch of 10,000 files arrives. The two sessions are
processes of their own, with nothing in them but the watcher; nothing here passes or fails.
"""

import asyncio
import multiprocessing
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from devloop.adapters.statefolder import FileStateFolder
from devloop.adapters.watcher import FileWatcher
from devloop.core.image import ImageRef
from devloop.core.ports import Watched
from devloop.core.service import BuildSpec, Pin, Service

IDLE_SECONDS = 10
SAVES = 50
SWITCHED = 10_000
IGNORE = "node_modules\n**/node_modules\n.git\n*.md\n**/__pycache__\n**/*.pyc\n"


def memory_mib() -> float:
    """What the process holds now; its highest where that cannot be known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return pages * resource.getpagesize() / 2**20


def name(number: int) -> str:
    return f"pkg{number // 1000}/module{number // 100}/source_{number % 100}.py"


def make(root: Path, files: int) -> list[str]:
    names = [name(number) for number in range(files)]
    write(root, names, "main")
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (root / ".dockerignore").write_text(IGNORE)
    return names


def write(root: Path, names: Iterable[str], text: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n" + f"value = '{text}'\n" * 20)


def git(root: Path, *words: str) -> None:
    config = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "gc.auto=0", "-c", "core.fsmonitor=false")
    subprocess.run(["git", *config, *words], cwd=root, check=True, capture_output=True)


def two_branches(root: Path, names: list[str]) -> None:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "main")
    git(root, "checkout", "-q", "-b", "other")
    write(root, names[:SWITCHED], "other")
    git(root, "commit", "-q", "-a", "-m", "other")


def service(root: Path) -> Service:
    ref = ImageRef("registry", "app", "dev")
    return Service("web", ref, ref, Pin.TAG, (), (), BuildSpec(root, root / "Dockerfile"), (root,))


class _Bench:
    """One session on the tree."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.told: asyncio.Queue[tuple[float, int]] = asyncio.Queue()
        self.state = FileStateFolder(state, print)

    def watcher(self) -> FileWatcher:
        return FileWatcher(
            lambda _, files: self.told.put_nowait((time.perf_counter(), len(files))),
            self.state,
            debounce=0.03,
            notice=lambda *notice: print("notice:", *notice),
        )

    async def first(self) -> None:
        watcher = await self.arm("first session: everything is read")
        await self.idle()
        await watcher.close()

    async def next(self) -> None:
        watcher = await self.arm("next session: from the stored picture")
        await self.idle()
        await self.looks(watcher)
        await self.saves()
        await self.switch()
        print(f"at the end: {memory_mib():.0f} MiB")
        await watcher.close()

    async def arm(self, what: str) -> FileWatcher:
        watcher, began, cpu = self.watcher(), time.perf_counter(), time.process_time()
        watched = await watcher.add(service(self.root))
        assert isinstance(watched, Watched)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"until {watched.files} files are watched ({what}): {took:.2f} s, {cpu:.2f} s CPU")
        return watcher

    async def idle(self) -> None:
        await asyncio.sleep(3)
        cpu = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        share = (time.process_time() - cpu) / IDLE_SECONDS
        print(f"idle for {IDLE_SECONDS} s: {share:.2%} of a core, {memory_mib():.0f} MiB")

    async def looks(self, watcher: FileWatcher) -> None:
        began = time.perf_counter()
        await watcher.picture("web")
        print(f"a fresh picture: {time.perf_counter() - began:.2f} s, {memory_mib():.0f} MiB")

    async def saves(self) -> None:
        delays = []
        for number in range(SAVES):
            await asyncio.sleep(0.1)
            began = time.perf_counter()
            (self.root / name(number * 97)).write_text(f"saved {number} {began}")
            at, _ = await self.told.get()
            delays.append((at - began) * 1000)
        p90 = statistics.quantiles(delays, n=10)[-1]
        print(f"{SAVES} saves until told: median {statistics.median(delays):.0f} ms, p90 {p90:.0f} ms (debounce 30 ms)")

    async def switch(self) -> None:
        git(self.root, "checkout", "-q", "-f", ".")
        await self.drain()
        began = time.perf_counter()
        await asyncio.to_thread(git, self.root, "checkout", "-q", "main")
        ended = time.perf_counter()
        calls = await self.drain()
        counts = [count for _, count in calls]
        first = calls[0][0]
        print(
            f"branch switch of {SWITCHED} files: git took {ended - began:.2f} s; {len(calls)} call(s) with {counts}"
            f" files, {first - ended:+.2f} s after git ended"
        )

    async def drain(self) -> list[tuple[float, int]]:
        calls = []
        while True:
            try:
                async with asyncio.timeout(3):
                    calls.append(await self.told.get())
            except TimeoutError:
                return calls


def session(which: str, root: Path, state: Path) -> None:
    print(f"  the process without it: {memory_mib():.0f} MiB")
    bench = _Bench(root, state)
    asyncio.run(bench.first() if which == "first" else bench.next())


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{platform.platform()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        root, state = Path(folder) / "context", Path(folder) / "state"
        two_branches(root, make(root, files))
        for which in ("first", "next"):
            process = multiprocessing.get_context("spawn").Process(target=session, args=(which, root, state))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
