"""`devloop why --slow`: what the newest rollout of a workload waited for; writes nothing."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from devloop.adapters.kube import KubeCluster
from devloop.core import manifest
from devloop.core.failure import ExitCode, Failure
from devloop.core.service import WorkloadKey
from devloop.core.why.slow import Slowness, killings, slowness
from devloop.core.why.subject import NamespaceObjects, newest_of, snapshot_of
from devloop.headless.plain import shown, wants_colour
from devloop.session import say
from devloop.session.clean import without_secrets
from devloop.session.project import Refusal
from devloop.session.request import Request
from devloop.session.why.command import current_context, failed, fix_there, of_target, read_namespaces, subjects_of
from devloop.session.why.target import Question, Target, read_question
from devloop.views import Phrase
from devloop.views.slow import Answer, answer_lines


async def slow(request: Request, *, everything: bool, as_json: bool) -> ExitCode:
    """Answer for every target; 3 when one of them cannot be answered for."""
    question = await read_question(request, everything=everything)
    if isinstance(question, Refusal):
        say.err(*question.lines)
        return question.exit_code
    cluster = KubeCluster(question.place.pinned)
    try:
        objects = await read_namespaces(question, cluster)
    finally:
        await cluster.close()
    # What a workload waited for is one answer, however many services run on it.
    targets = {(target.namespace, target.kind, target.name): target for target in question.targets}.values()
    found = [each for target in targets for each in _of_target(question, target, objects[target.namespace])]
    say.out(*_lines([each for each in found if isinstance(each, Answer)], as_json=as_json))
    current, clean = current_context(), without_secrets()
    failures = [failed(each, question.place, current, clean) for each in found if isinstance(each, Failure)]
    say.err(*(line for failure in failures for line in Refusal.of(failure).lines))
    return max((failure.exit_code for failure in failures), default=ExitCode.DONE)


def _of_target(question: Question, target: Target, objects: NamespaceObjects | Failure) -> Iterator[Answer | Failure]:
    if isinstance(objects, Failure):
        yield of_target(question, target, objects)
        return
    subjects = subjects_of(target, objects)
    if isinstance(subjects, Failure):
        yield of_target(question, target, subjects)
        return
    ends = killings(manifest.cluster_event(raw) for raw in objects.events or ())
    for key, _ in subjects:
        found = slowness(snapshot_of(objects, key), newest_of(objects, key), ends)
        events = objects.events is not None
        yield Answer(key, question.place.pinned.name, _there(found, question), _instead(question, key), events)


def _instead(question: Question, key: WorkloadKey) -> str:
    """What tells why there is nothing to measure; like all of devloop's commands it goes to the configured context."""
    place = question.place
    there = f" --context {shlex.quote(place.pinned.name)}" if place.chosen else ""
    return f"devloop why {key} -n {key.namespace}{there}"


def _there(found: Slowness, question: Question) -> Slowness:
    current = current_context()
    return replace(found, waits=tuple(replace(w, fix=fix_there(w.fix, question.place, current)) for w in found.waits))


def _lines(answers: Sequence[Answer], *, as_json: bool) -> list[str]:
    if as_json:
        return [json.dumps(_as_json(answer), ensure_ascii=False) for answer in answers]
    colour = wants_colour(sys.stdout.isatty(), os.environ)
    phrases: list[Phrase] = []
    for number, answer in enumerate(answers):
        phrases += [*([Phrase("")] if number else []), *say.fitting_phrases(answer_lines(answer, say.columns()))]
    return [shown(phrase, colour=colour) for phrase in phrases]


def _as_json(answer: Answer) -> dict[str, Any]:
    found = answer.found
    return {
        "workload": str(answer.key),
        "namespace": answer.key.namespace,
        "context": answer.context,
        "measured": found.found,
        "revision": found.revision,
        "pods": found.pods,
        "seconds": found.seconds,
        "rest": found.rest,
        "waits": [asdict(wait) for wait in found.waits],
    }
