"""The text of `devloop.toml` and `devloop.local.toml`, with the reasons as comments; both validate."""

import posixpath
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from devloop.core.init.complete import Block
from devloop.core.init.draft import Draft, Proposal
from devloop.core.init.match import Unmatched
from devloop.core.init.registry import Chosen
from devloop.core.init.source import Source
from devloop.core.init.workload import full_name, reference
from devloop.core.resolve import LOCAL_TAG, SHARED_TAG
from devloop.core.service import Load
from devloop.core.toml import value_text

_WIDTH = 118
"""Of a comment, without its mark."""
_HEAD = (
    "What devloop keeps running. `devloop init` wrote this file, and it is yours to edit:",
    "`devloop schema`, and docs/configuration.md of devloop, explain every key.",
    f"A service without `tag` gets `{LOCAL_TAG}` on a known local cluster, "
    f"and `{SHARED_TAG}` elsewhere: one for each person.",
)
_HEAD_LOCAL = "Of this checkout alone: laid over devloop.toml, and not committed."
_FOOT = (
    "More for a service: tag, pin, watch, ignore, depends_on, and under build: target, args, secrets, platform.",
    "For all of them: [loop] and [ui].",
)


def project_file(draft: Draft) -> str:
    """`devloop.toml`: what everybody who has the project shares."""
    if draft.kept.text:
        return _with_new(draft)
    blocks = [_comment(*_HEAD)]
    if not draft.shared:
        blocks.append(f"[cluster]\nnamespace = {_value(draft.namespace)}\n")
    blocks += [_service(service, draft) for service in draft.services]
    blocks += [_open(each, draft) for each in draft.unmatched if each.candidates]
    return "\n".join([*blocks, _comment(*_FOOT)])


def _with_new(draft: Draft) -> str:
    """What is there, as it is, and below it what is new."""
    text = draft.kept.text
    services = [_service(service, draft) for service in draft.new]
    return "\n".join([text if text.endswith("\n") else f"{text}\n", *services]) if services else text


def local_file(draft: Draft) -> str:
    """`devloop.local.toml`: a person's own cluster, and names that hold on this machine alone."""
    return "\n".join([_comment(_HEAD_LOCAL), *(block.text for block in local_blocks(draft))])


def needed_blocks(draft: Draft) -> Iterator[Block]:
    """What an overlay that is there has to say: not what the files say or permit already."""
    cluster, *services = local_blocks(draft)
    values = dict(cluster.values)
    if draft.target.in_files:
        values.pop("context", None)
    if draft.kept.namespace == draft.namespace:
        values.pop("namespace", None)
    yield replace(cluster, values=values, notes=cluster.notes if "context" in values else "")
    yield from services


def local_blocks(draft: Draft) -> Iterator[Block]:
    """The tables of the overlay."""
    yield _cluster(draft)
    named = {service.name for service in draft.services}
    overlay = {name: table for name, table in draft.kept.overlay.items() if name in named | draft.kept.names}
    # As it is there: what begins with `${` is a variable, and stays one.
    yield from (Block(("services", name), table) for name, table in overlay.items())
    for service in draft.services:
        place, image = ("services", service.name), service.image
        if service.name in overlay:
            continue
        if image.push:
            yield Block(place, {"push_image": _escaped(image.push)}, _noted(image.push_note))
        elif image.loads_here:
            yield Block(place, {"load": Load.AUTO.value}, _loaded(image))


def _loaded(image: Chosen) -> str:
    return _noted(f"It is loaded into the nodes: {image.load_why}." if image.load_why else "")


def _noted(text: str) -> str:
    return _comment(text) if text else ""


def _cluster(draft: Draft) -> Block:
    target = draft.target
    values: dict[str, Any] = {}
    if target.permitted:
        notes = "# devloop writes through this kube context and no other; naming it here permits that.\n"
        values["context"] = _escaped(target.context)
    else:
        notes = _comment(
            f"{target.context} is no known local cluster: without this line devloop asks before it writes there, and "
            "refuses where it cannot ask."
        )
        notes += f"# context = {_value(target.context)}\n"
    if draft.shared:
        values["namespace"] = _escaped(draft.namespace)
    return Block(("cluster",), values, notes=notes)


def _service(service: Proposal, draft: Draft) -> str:
    keys = dict(_keys(service, draft))
    where = ", ".join(map(str, service.matched.workloads))
    lines = _comment(f"{service.source} -> {where}: {service.matched.why}.")
    image = service.image
    lines += "".join(map(_noted, (*image.notes, service.tag_note)))
    lines += "" if image.loads_here else _loaded(image)
    return Block(("services", service.name), {key: _escaped(value) for key, value in keys.items()}, lines).text


def _keys(service: Proposal, draft: Draft) -> Iterator[tuple[str, Any]]:
    yield "image", service.image.image
    if service.tag:
        yield "tag", service.tag
    yield "build", build_value(service.source)
    if service.image.load_why and not service.image.loads_here:
        yield "load", Load.AUTO.value
    if len(service.workloads) > 1:
        yield "workload", list(service.workloads)
    else:
        yield "workload", service.workloads[0]
    if service.containers:
        yield "container", service.containers[0] if len(service.containers) == 1 else list(service.containers)
    if service.matched.namespace != draft.namespace:
        yield "namespace", service.matched.namespace
    if service.depends_on:
        yield "depends_on", list(service.depends_on)


def build_value(source: Source) -> Any:
    """A folder where that says it all, else a table."""
    table: dict[str, Any] = {"context": source.context}
    if source.dockerfile != posixpath.normpath(posixpath.join(source.context, "Dockerfile")):
        table["dockerfile"] = source.dockerfile
    if source.target:
        table["target"] = source.target
    if source.args:
        table["args"] = dict(source.args)
    return source.context if len(table) == 1 else table


def _open(unmatched: Unmatched, draft: Draft) -> str:
    """A service that a person has to decide about, as comments that need only be made lines."""
    name = draft.names[unmatched.source]
    spot = unmatched.candidates[0]
    chosen = draft.if_right.get(unmatched.source) or Chosen(_to_fill_in(spot.container.image, name))
    lines = [f"[services.{name}]", f"image = {_value(chosen.image)}"]
    lines.append(f"build = {_value(build_value(unmatched.source))}")
    lines += [f"load = {_value(Load.AUTO.value)}"] if chosen.load_why and not chosen.loads_here else []
    lines.append(f"workload = {_value(str(spot.live.key))}")
    if len(spot.live.mains) > 1:
        lines.append(f"container = {_value(spot.container.name)}")
    if spot.live.key.namespace != draft.namespace:
        lines.append(f"namespace = {_value(spot.live.key.namespace)}")
    head = _comment(f"{unmatched.source}: {unmatched.why}. If this is right, or once you corrected it, uncomment it.")
    return head + "".join(map(_noted, chosen.notes)) + "".join(f"# {line}\n" for line in lines)


def _to_fill_in(running: str, name: str) -> str:
    """An image for what has no place to go to: the one that runs there, where that can be somebody's own."""
    ref = reference(running)
    return full_name(ref) if ref and (ref.registry or "/" in ref.repository) else f"REGISTRY/{name}"


def _comment(*paragraphs: str) -> str:
    lines = (line for text in paragraphs for line in textwrap.wrap(_printable(text), _WIDTH, break_on_hyphens=False))
    return "".join(f"# {line}\n" for line in lines)


def _printable(text: str) -> str:
    """A path may hold anything, and a comment holds one line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _value(value: Any) -> str:
    return value_text(_escaped(value))


def _escaped(node: Any) -> Any:
    """`${` begins a variable in the file, and is meant as it is here."""
    if isinstance(node, str):
        return node.replace("${", "$${")
    if isinstance(node, dict):
        return {key: _escaped(value) for key, value in node.items()}
    return [_escaped(item) for item in node] if isinstance(node, list) else node
