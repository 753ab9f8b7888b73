"""`devloop demo --script`: all of it by itself, and nothing is claimed that was not looked at."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from itertools import takewhile

from devloop.core.events import CheckFinished, CycleFinished, Outcome, PodVerified, Record, Verdict
from devloop.core.failure import ExitCode
from devloop.core.image import short
from devloop.core.plan import DELTA
from devloop.core.why.cause import CauseCode
from devloop.session.demo.byhand import PATIENCE, YESTERDAY, ByHand, NotAsToldError, greeting_of, key_of, set_greeting
from devloop.session.demo.telling import Telling
from devloop.session.demo.words import BREAKING, RECIPE, SOURCE
from devloop.session.renderers import Output
from devloop.session.trial import Trial
from devloop.session.up import Options, Session
from devloop.session.why.command import why_service
from devloop.views import Phrase, Tone

TODAY, EDITED, MENDED = "Good morning!", "Good afternoon!", "Good night!"
_PASSING = {Outcome.SUPERSEDED, Outcome.UNCHANGED}
_CAUSE = f"{CauseCode.NODE_CACHE}: "


@dataclass
class Heard:
    """What a session said, in order."""

    records: list[Record] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, records: list[Record]) -> None:
        self.records += records
        self._news.set()

    async def ended(self, service: str, since: int) -> CycleFinished:
        """The end of the next cycle of a service that built something."""
        while True:
            for record in self.records[since:]:
                event = record.event
                if isinstance(event, CycleFinished) and event.service == service and event.outcome not in _PASSING:
                    return event
            self._news.clear()
            await self._news.wait()

    def verdicts(self, cycle: CycleFinished) -> list[PodVerified]:
        events = (record.event for record in self.records)
        found = (each for each in events if isinstance(each, PodVerified))
        return [each for each in found if (each.service, each.cycle) == (cycle.service, cycle.cycle)]


class Script:
    """The steps, each of which tells what it saw."""

    def __init__(self, hand: ByHand, tell: Telling) -> None:
        self._hand, self._tell = hand, tell
        self._web = hand.service("web")
        self._source, self._recipe = hand.folder.path / SOURCE, hand.folder.path / RECIPE
        self._heard = Heard()
        self._session = Session(hand.project, Options(Output.PLAIN, trial=Trial()), self._heard.feed)

    async def run(self) -> None:
        """All of it up to the end of the session; the app's files are as they were before."""
        kept = {path: path.read_bytes() for path in (self._source, self._recipe)}
        set_greeting(self._source, TODAY)
        try:
            await self._naive()
            await self._taken_over()
        finally:
            for path, content in kept.items():
                path.write_bytes(content)

    async def _naive(self) -> None:
        hand, tell = self._hand, self._tell
        await hand.deploy_yesterday()
        _check(await hand.greetings() == {YESTERDAY}, f"the page does not say {YESTERDAY!r}")
        pods, nodes = await hand.pods_and_nodes(self._web)
        where = f"from {pods} Pods on {nodes} nodes"
        tell.step("The app runs", f'{hand.sandbox.urls["web"]} says "{YESTERDAY}", {where}')
        pushed = await hand.push(self._web)
        await hand.restart(self._web)
        _check(await hand.greetings() == {YESTERDAY}, "the page is not stale after a push and a restart")
        greeting = greeting_of(self._source)
        tell.step(
            "The naive way",
            f'"{greeting}" is pushed to web:dev ({pushed}), the Deployment restarted',
            Phrase(f'the page still says "{YESTERDAY}"', Tone.WARN),
            "under IfNotPresent a node that has a web:dev asks the registry for no other",
        )
        answer = [phrase.text for phrase in await why_service(hand.project, self._web)]
        first = next((at for at, text in enumerate(answer) if text.startswith(_CAUSE)), None)
        _check(first is not None, f"`devloop why web` finds another cause: {' '.join(answer)}")
        cause = " ".join(takewhile(lambda text: text[:1] not in {"", " ", "→"}, answer[first:]))
        tell.step("devloop why web", Phrase(cause, Tone.WARN))

    async def _taken_over(self) -> None:
        session = asyncio.create_task(self._session.run())
        try:
            for step in (self._mends, self._edit, self._break):
                await self._or_end(session, step())
            self._session.quit(None)
            code = await asyncio.wait_for(session, PATIENCE)
            _check(code is ExitCode.DONE, f"the session ended with exit code {code.value}")
        finally:
            if not session.done():
                session.cancel()
                await asyncio.gather(session, return_exceptions=True)
        await self._restore()

    async def _or_end(self, session: "asyncio.Task[ExitCode]", step: Awaitable[None]) -> None:
        """A step, for as long as the session runs that it is about."""
        doing = asyncio.ensure_future(step)
        await asyncio.wait({doing, session}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            doing.cancel()
            checks = (each.event for each in self._heard.records if isinstance(each.event, CheckFinished))
            failed = [each.message for each in checks if not each.ok]
            what = "ended" if session.done() else f"took more than {PATIENCE:g} s"
            raise NotAsToldError(": ".join([f"the session of devloop {what}", *failed]))
        await doing

    async def _mends(self) -> None:
        began, greeting = time.monotonic(), greeting_of(self._source)
        ended, verdicts = await self._verified(0)
        seconds = await self._hand.until_page_says(greeting, began)
        _check(await self._hand.greetings() == {greeting}, "a Pod still answers with the old page")
        nodes = " and ".join(sorted({each.node for each in verdicts}))
        self._tell.step(
            "devloop takes over",
            f'the page says "{greeting}" after {seconds:.1f} s',
            _good(f"{len(verdicts)} Pods on {nodes} report the registry's {short(ended.digest)}: verified"),
        )

    async def _edit(self) -> None:
        since, began = len(self._heard.records), time.monotonic()
        set_greeting(self._source, EDITED)
        seconds = await self._hand.until_page_says(EDITED, began)
        ended, verdicts = await self._verified(since)
        _check(ended.builder == DELTA, "the edit was no delta")
        self._tell.step(
            "An edit",
            f'"{EDITED}" is saved, and the page says so {seconds:.1f} s later',
            _good(f"a delta, one layer without a build; {len(verdicts)} Pods report {short(ended.digest)}: verified"),
        )

    async def _break(self) -> None:
        greeting, whole = greeting_of(self._source), self._recipe.read_text("utf-8")
        since = len(self._heard.records)
        self._recipe.write_text(f"{whole}{BREAKING}\n", "utf-8")
        ended = await self._heard.ended("web", since)
        _check(ended.outcome is Outcome.FAILED and ended.failure is not None, "a broken Dockerfile is no failure")
        _check(await self._hand.greetings() == {greeting}, "the old page does not answer while the build is broken")
        said = ended.failure.message if ended.failure else ""
        since, began = len(self._heard.records), time.monotonic()
        self._recipe.write_text(whole, "utf-8")
        set_greeting(self._source, MENDED)
        seconds = await self._hand.until_page_says(MENDED, began)
        ended, _ = await self._verified(since)
        self._tell.step(
            "A broken build",
            Phrase(said, Tone.BAD),
            f'the page still says "{greeting}"',
            _good(f'mended: the page says "{MENDED}" {seconds:.1f} s later; {short(ended.digest)}: verified'),
        )

    async def _verified(self, since: int) -> tuple[CycleFinished, list[PodVerified]]:
        ended = await self._heard.ended("web", since)
        verdicts = self._heard.verdicts(ended)
        failure = f": {ended.failure.message}" if ended.failure else ""
        _check(ended.outcome is Outcome.VERIFIED, f"web is {ended.outcome}{failure}")
        _check(bool(verdicts), "no Pod was looked at")
        _check(all(each.verdict is Verdict.MATCH for each in verdicts), "a Pod runs something else")
        return ended, verdicts

    async def _restore(self) -> None:
        for service in self._hand.project.services:
            await self._hand.put_back(service)
            policy, marked = await self._hand.policy_and_marks(service)
            _check(policy == "IfNotPresent", f"{key_of(service)} has the pull policy {policy} after the restore")
            _check(not marked, f"{key_of(service)} carries a mark of devloop after the restore")
        self._tell.step("devloop restore", "both Deployments have pull policy IfNotPresent again, no mark of devloop")


def _good(text: str) -> Phrase:
    return Phrase(text, Tone.GOOD)


def _check(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotAsToldError(otherwise)
