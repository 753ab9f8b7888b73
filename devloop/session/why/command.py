"""`devloop why`: read, answer, tell; writes nothing anywhere."""

import asyncio
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from devloop.adapters import kubeconfig
from devloop.adapters.engine import DockerEngine
from devloop.adapters.kube import KubeCluster
from devloop.adapters.kubeobjects import read_namespace
from devloop.adapters.registry import HttpRegistry
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.service import Service, WorkloadKey
from devloop.core.why.cause import Cause
from devloop.core.why.chain import chain, first_broken
from devloop.core.why.diagnosis import diagnose
from devloop.core.why.facts import Told
from devloop.core.why.subject import KINDS, NamespaceObjects, denied_owner, find, keys
from devloop.core.why.tally import tally
from devloop.core.workload import where_guessed
from devloop.headless.plain import shown, wants_colour
from devloop.session import say
from devloop.session.clean import Clean, without_secrets
from devloop.session.project import Place, Project, Refusal
from devloop.session.request import Request
from devloop.session.trial import has_engine
from devloop.session.why.gather import Gatherer
from devloop.session.why.newest import Newest, of_sessions
from devloop.session.why.target import Question, Target, owners_of, read_question, running_on
from devloop.views import Phrase, Tone
from devloop.views.why import Answer, answer_lines, screen_lines, table_lines

_PAUSE = 2.0
"""Seconds between two looks of `--watch`: what a tag means is something that no registry tells by itself."""
_KUBECTL = re.compile(r"\bkubectl (?!--context\b)")


async def why(request: Request, *, everything: bool, watch: bool, as_json: bool) -> ExitCode:
    """Answer for every target; the exit code is that of the worst answer."""
    question = await read_question(request, everything=everything)
    if isinstance(question, Refusal):
        say.err(*question.lines)
        return question.exit_code
    cluster, engine, registry = _clients(question)
    try:
        told: tuple[list[str], list[str]] = [], []
        while True:
            found = await _answers(question, cluster, registry, engine, of_sessions(question.place.pinned.server))
            lines = _lines(found, as_json=as_json, table=everything), _failures(found)
            if lines != told:
                say.out(*([""] if told[0] and not as_json else []), *lines[0])
                say.err(*lines[1])
                told = lines
            if not watch:
                return max((each.exit_code for each in found), default=ExitCode.DONE)
            await asyncio.sleep(_PAUSE)
    finally:
        await registry.close()
        await cluster.close()


async def why_service(project: Project, service: Service, told: Told | None = None) -> list[Phrase]:
    """The answer for the workloads of one service of a session, in words for a screen."""

    async def newest(_: WorkloadKey) -> Told:
        return told or Told()

    targets = tuple(Target(key.namespace, key.kind, key.name, service) for key in service.workloads)
    question = Question(project.place, targets, project.services)
    cluster, engine, registry = _clients(question)
    try:
        found = await _answers(question, cluster, registry, engine, newest)
    finally:
        await registry.close()
        await cluster.close()
    failures = [phrase for each in found if isinstance(each, Failure) for phrase in _told(each)]
    answers = [each for each in found if isinstance(each, Answer)]
    return [*failures, *screen_lines(answers, time.time(), None)]


def _clients(question: Question) -> tuple[KubeCluster, DockerEngine | None, HttpRegistry]:
    engine = DockerEngine() if has_engine() else None
    registry = HttpRegistry(insecure=engine.insecure_registries if engine else None)
    return KubeCluster(question.place.pinned), engine, registry


def _told(failure: Failure) -> list[Phrase]:
    return [Phrase(line, Tone.BAD) for line in Refusal.of(failure).lines]


async def _answers(
    question: Question, cluster: KubeCluster, registry: HttpRegistry, engine: DockerEngine | None, newest: Newest
) -> list[Answer | Failure]:
    gatherer = Gatherer(cluster, registry, engine, question.note, newest)
    _, objects = await asyncio.gather(gatherer.prepare(), read_namespaces(question, cluster))
    current = current_context()
    answers = await asyncio.gather(
        *(_of_target(question, target, objects[target.namespace], gatherer, current) for target in question.targets)
    )
    clean = without_secrets()
    return [
        failed(each, question.place, current, clean) if isinstance(each, Failure) else cleaned(each, clean)
        for found in answers
        for each in found
    ]


async def read_namespaces(question: Question, cluster: KubeCluster) -> dict[str, NamespaceObjects | Failure]:
    """All that the targets may be, by namespace."""
    # Several services of one workload are several targets.
    named = {target.name if target.kind in KINDS else "" for target in question.targets}
    single = next(iter(named)) if len(named) == 1 else ""
    namespaces = sorted({target.namespace for target in question.targets})
    read = await asyncio.gather(*(_read(cluster, namespace, single) for namespace in namespaces))
    return dict(zip(namespaces, read, strict=True))


async def _read(cluster: KubeCluster, namespace: str, single: str) -> NamespaceObjects | Failure:
    """In a mistyped namespace nothing is listed, without a complaint."""
    objects = await read_namespace(cluster, namespace, single)
    empty = not isinstance(objects, Failure) and not keys(objects)
    return (await cluster.no_namespace(namespace) if empty else None) or objects


def current_context() -> str:
    """Where a shell's kubectl goes by itself; empty where that is not known."""
    pinned = kubeconfig.resolve(None)
    return "" if isinstance(pinned, Failure) else pinned.name


async def _of_target(
    question: Question, target: Target, objects: NamespaceObjects | Failure, gatherer: Gatherer, current: str
) -> Sequence[Answer | Failure]:
    if isinstance(objects, Failure):
        return [of_target(question, target, objects)]
    subjects = subjects_of(target, objects)
    if isinstance(subjects, Failure):
        return [of_target(question, target, subjects)]
    context = question.place.pinned.name

    async def answer(key: WorkloadKey, only: str, service: Service | None) -> Answer:
        name = service.name if service is not None else ""
        beside = {each.name for each in running_on(question.services, key)} - {name}
        facts = await gatherer.facts(objects, key, only, service, beside)
        causes = tuple(there(cause, question.place, current) for cause in diagnose(facts))
        readings = chain(facts, causes)
        return Answer(
            key, context, readings, causes, only, tally(facts), facts.saved, service=name, is_shared=bool(beside)
        )

    asked = [(key, only, each) for key, only in subjects for each in owners_of(question.services, target, key)]
    return await asyncio.gather(*(answer(*each) for each in asked))


def subjects_of(target: Target, objects: NamespaceObjects) -> list[tuple[WorkloadKey, str]] | Failure:
    """The workloads that were asked about, each with the one Pod that was (empty: all of its Pods)."""
    if not target.name:
        return [(key, "") for key in keys(objects)] or _empty(target, objects.denied)
    found = find(objects, target.kind, target.name)
    if found is None:
        return _absent(target, objects.denied)
    if denied := denied_owner(objects, found[0]):
        return _unlisted(target, [denied], f"what Pod {target.name} belongs to")
    return [found]


def of_target(question: Question, target: Target, failure: Failure) -> Failure:
    """With what to do where nothing says the namespace that it was looked for in."""
    is_guessed = target.service.is_guessed if target.service else question.place.is_guessed
    return where_guessed(failure) if is_guessed else failure


def failed(failure: Failure, place: Place, current: str, clean: Clean) -> Failure:
    """Without secrets, and with a hint that goes to the cluster that was asked about."""
    return replace(failure, message=clean(failure.message), hint=clean(fix_there(failure.hint, place, current)))


def cleaned(answer: Answer, clean: Clean) -> Answer:
    """Without secrets: log lines of whoever's Pods are part of it, and it is made to be pasted."""
    readings = tuple(replace(reading, text=clean(reading.text)) for reading in answer.readings)
    return replace(answer, readings=readings, causes=tuple(_cleaned(cause, clean) for cause in answer.causes))


def _cleaned(cause: Cause, clean: Clean) -> Cause:
    evidence = tuple(replace(item, text=clean(item.text)) for item in cause.evidence)
    return replace(cause, message=clean(cause.message), fix=clean(cause.fix), evidence=evidence)


def there(cause: Cause, place: Place, current: str) -> Cause:
    """With a fix that goes to the cluster that was asked about, also where a shell goes to another by itself."""
    fix = fix_there(cause.fix, place, current)
    if place.chosen:
        fix = fix.replace(" --once", f" --once --context {shlex.quote(place.pinned.name)}")
    return replace(cause, fix=fix)


def fix_there(fix: str, place: Place, current: str) -> str:
    """With the context in every kubectl command that does not name one already, where a shell goes to another."""
    context = shlex.quote(place.pinned.name)
    return fix if place.pinned.name == current else _KUBECTL.sub(lambda _: f"kubectl --context {context} ", fix)


def _empty(target: Target, denied: frozenset[str]) -> Failure:
    """A mistyped namespace is no well one: the API server lists nothing there, without a complaint."""
    if denied:
        return _unlisted(target, sorted(denied))
    message = f"there is no workload in namespace {target.namespace}"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, "see which namespaces there are: kubectl get namespaces")


def _absent(target: Target, denied: frozenset[str]) -> Failure:
    unlisted = [kind for kind in KINDS if kind in denied and target.kind in {"", kind}]
    if unlisted:
        return _unlisted(target, unlisted)
    what = f"{target.kind}/{target.name}" if target.kind else f"Deployment, StatefulSet, DaemonSet or Pod {target.name}"
    message = f"there is no {what} in namespace {target.namespace}"
    hint = f"see what there is: kubectl get deployments,statefulsets,daemonsets,pods -n {target.namespace}"
    return Failure(FailureCode.WORKLOAD_ABSENT, message, hint)


def _unlisted(target: Target, kinds: Sequence[str], unknown: str = "") -> Failure:
    """What may be there all the same is not called absent."""
    plurals = [f"{kind}s" for kind in kinds]
    unknown = unknown or f"whether there is {target.name or 'any'}"
    message = f"{' and '.join(plurals)} may not be listed in namespace {target.namespace}, so {unknown} is not known"
    hint = f"see: kubectl auth can-i list {plurals[0]} -n {target.namespace}"
    return Failure(FailureCode.CLUSTER_DENIED, message, hint)


def _failures(found: Sequence[Answer | Failure]) -> list[str]:
    """Each once: what is wrong with a namespace is wrong with every service there."""
    failures = dict.fromkeys(each for each in found if isinstance(each, Failure))
    return [line for each in failures for line in Refusal.of(each).lines]


def _lines(found: Sequence[Answer | Failure], *, as_json: bool, table: bool) -> list[str]:
    answers = [each for each in found if isinstance(each, Answer)]
    if as_json:
        return [json.dumps(_as_json(answer), ensure_ascii=False) for answer in answers]
    colour = wants_colour(sys.stdout.isatty(), os.environ)
    phrases = table_lines(answers) if table else []
    if not table:
        for number, answer in enumerate(answers):
            lines = answer_lines(answer, time.time(), None, say.columns())
            phrases += [*([Phrase("")] if number else []), *say.fitting_phrases(lines)]
    return [shown(phrase, colour=colour) for phrase in phrases]


def _as_json(answer: Answer) -> dict[str, Any]:
    return {
        "workload": str(answer.key),
        "namespace": answer.key.namespace,
        "context": answer.context,
        "service": answer.service or None,
        "pod": answer.pod or None,
        "exit_code": int(answer.exit_code),
        "chain": [{**asdict(reading), "time": _rfc3339(reading.time)} for reading in answer.readings],
        "first_broken": first_broken(answer.readings, answer.causes),
        "causes": [
            {
                "code": cause.code,
                "message": cause.message,
                "evidence": [{**asdict(item), "time": _rfc3339(item.time)} for item in cause.evidence],
                "fix": cause.fix,
                "pods": cause.pods,
                "reason": cause.reason or None,
            }
            for cause in answer.causes
        ],
    }


def _rfc3339(at: float) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
