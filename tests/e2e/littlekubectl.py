"""What scenarios ask of kubectl, for where there may be none: in a sandbox they need nothing.

Field managers, patch types and what is waited for are kubectl's; what it prints is not. Run as a program it is what the
fixes of `devloop why` call.
"""

import argparse
import base64
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from devloop.sandbox import kinds
from devloop.sandbox.kinds import Kind
from devloop.sandbox.patches import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE

Raw = dict[str, Any]
_PATCHES = {"strategic": STRATEGIC_MERGE, "merge": MERGE_PATCH, "json": JSON_PATCH}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MANAGED = "managedFields"
_LOOK_EVERY = 0.05


class LittleKubectl:
    """Call it with the arguments of kubectl; the output, or an AssertionError with what the server said."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._contexts = [each["name"] for each in config["contexts"]]
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server, self._token = cluster["server"], user["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._kubeconfig = config

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        asked = _parsed(args)
        asked.stdin = stdin
        do: Callable[[argparse.Namespace], str] = getattr(self, f"_{asked.verb}")
        return do(asked)

    # verbs -----------------------------------------------------------------------------------------------------------

    def _get(self, asked: argparse.Namespace) -> str:
        if asked.raw:
            return self._send("GET", asked.raw)
        found = self._read(asked)
        if not asked.show_managed_fields:
            for each in found.get("items", [found]):
                each["metadata"].pop(_MANAGED, None)
        if asked.output.startswith("jsonpath="):
            return _at(found, asked.output.removeprefix("jsonpath="))
        return json.dumps(found)

    def _apply(self, asked: argparse.Namespace) -> str:
        for body in yaml.safe_load_all(asked.stdin):
            kind, metadata = kinds.named(body["kind"]), body["metadata"]
            folder = _folder(kind, metadata.get("namespace", asked.namespace))
            path = f"{folder}/{metadata['name']}"
            if asked.server_side:
                self._patch_at(path, body, APPLY, asked.field_manager)
                continue
            noted = {**(metadata.get("annotations") or {}), _LAST_APPLIED: json.dumps(body)}
            noted_body = {**body, "metadata": {**metadata, "annotations": noted}}
            if self._uid(path):
                # What is no longer said stays: no scenario takes anything away by applying.
                self._patch_at(path, noted_body, STRATEGIC_MERGE, "kubectl-client-side-apply")
            else:
                self._send("POST", f"{folder}?fieldManager=kubectl-client-side-apply", noted_body)
        return ""

    def _create(self, asked: argparse.Namespace) -> str:
        if asked.filename:
            body = json.loads(asked.stdin)
        elif asked.what[0] == "configmap":
            pairs = (each.partition("=") for each in asked.from_literal)
            data = {key: value for key, _, value in pairs}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": asked.what[1]}, "data": data}
        else:
            body = _deployment(asked.what[1], asked.image, asked.replicas)
        if not asked.dry_run:
            folder = _folder(kinds.named(body["kind"]), asked.namespace)
            self._send("POST", f"{folder}?fieldManager=kubectl-create", body)
        return json.dumps(body)

    def _patch(self, asked: argparse.Namespace) -> str:
        manager = asked.field_manager or "kubectl-patch"
        return self._patch_at(self._one(asked), json.loads(asked.patch), _PATCHES[asked.type], manager)

    def _scale(self, asked: argparse.Namespace) -> str:
        body = {"spec": {"replicas": asked.replicas}}
        return self._patch_at(f"{self._one(asked)}/scale", body, MERGE_PATCH, "kubectl")

    def _set(self, asked: argparse.Namespace) -> str:
        pairs = (each.partition("=") for each in asked.what[2:])
        containers = [{"name": name, "image": image} for name, _, image in pairs]
        asked.what = asked.what[1:2]
        body = {"spec": {"template": {"spec": {"containers": containers}}}}
        return self._patch_at(self._one(asked), body, STRATEGIC_MERGE, "kubectl-set")

    def _rollout(self, asked: argparse.Namespace) -> str:
        how, *asked.what = asked.what
        path = self._one(asked)
        if how == "status":
            self._until(asked.timeout, lambda: _rolled_out(self._object(path)), f"{path} is rolled out")
            return ""
        restart = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
        specs = {
            "restart": {"template": {"metadata": {"annotations": restart}}},
            "pause": {"paused": True},
            "resume": {"paused": None},
        }
        return self._patch_at(path, {"spec": specs[how]}, STRATEGIC_MERGE, "kubectl-rollout")

    def _delete(self, asked: argparse.Namespace) -> str:
        if asked.all:
            return self._send("DELETE", _folder(_kind(asked.what[0]), asked.namespace))
        path = self._one(asked)
        uid = self._uid(path)
        if asked.ignore_not_found and not uid:
            return ""
        self._send("DELETE", path, {"propagationPolicy": "Background"})
        if asked.wait == "true":
            self._until("60s", lambda: self._uid(path) != uid, "gone")
        return ""

    def _wait(self, asked: argparse.Namespace) -> str:
        self._until(asked.timeout, lambda: _meets(self._listed(asked), asked.until), f"{asked.what} {asked.until}")
        return ""

    def _logs(self, asked: argparse.Namespace) -> str:
        query = urllib.parse.urlencode({"container": asked.container} if asked.container else {})
        return self._send("GET", f"{_folder(kinds.POD, asked.namespace)}/{asked.what[0]}/log?{query}")

    def _config(self, asked: argparse.Namespace) -> str:
        return "\n".join(self._contexts) if asked.what == ["get-contexts"] else json.dumps(self._kubeconfig)

    # requests --------------------------------------------------------------------------------------------------------

    def _one(self, asked: argparse.Namespace) -> str:
        """The path of the object that is named as `KIND/NAME` or `KIND NAME`."""
        kind, name = asked.what[0].split("/") if "/" in asked.what[0] else asked.what[:2]
        return f"{_folder(_kind(kind), asked.namespace)}/{name}"

    def _read(self, asked: argparse.Namespace) -> Raw:
        if "/" in asked.what[0] or len(asked.what) > 1:
            return self._object(self._one(asked))
        lists = [self._of_kind(_kind(name), asked) for name in asked.what[0].split(",")]
        return {"kind": "List", "items": [each for found in lists for each in found]}

    def _of_kind(self, kind: Kind, asked: argparse.Namespace) -> list[Raw]:
        named = {"labelSelector": asked.selector, "fieldSelector": asked.field_selector}
        query = urllib.parse.urlencode({name: value for name, value in named.items() if value})
        found = json.loads(self._send("GET", f"{_folder(kind, asked.namespace)}?{query}"))
        return [{"apiVersion": kind.api_version, "kind": kind.name, **each} for each in found["items"]]

    def _listed(self, asked: argparse.Namespace) -> list[Raw]:
        try:
            found = self._read(asked)
        except NotFoundError:  # it is gone, or was never there
            return []
        return list(found.get("items", [found]))

    def _object(self, path: str) -> Raw:
        return dict(json.loads(self._send("GET", path)))

    def _uid(self, path: str) -> str:
        """Empty where there is no such object; asked once, because it may go between two questions."""
        try:
            return str(self._object(path)["metadata"]["uid"])
        except NotFoundError:
            return ""

    def _patch_at(self, path: str, body: Any, type_: str, manager: str) -> str:
        return self._send("PATCH", f"{path}?fieldManager={manager}", body, type_)

    def _send(self, method: str, path: str, body: Any = None, type_: str = "application/json") -> str:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": type_, "Accept": "application/json, */*"}
        request = urllib.request.Request(self._server + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._tls) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                said = f"{method} {path}: {error.read().decode()}"
            raise (NotFoundError if error.code == 404 else AssertionError)(said) from None

    def _until(self, timeout: str, met: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + float(timeout.removesuffix("s"))
        while not met():
            assert time.monotonic() < deadline, f"not within {timeout}: {what}"
            time.sleep(_LOOK_EVERY)


class NotFoundError(AssertionError):
    """The server has no such object."""


def _folder(kind: Kind, namespace: str) -> str:
    return f"{kind.root}/namespaces/{namespace}/{kind.plural}" if kind.namespaced else f"{kind.root}/{kind.plural}"


def _kind(name: str) -> Kind:
    """By any of its names."""
    name = name.partition(".")[0].lower()
    return next(each for each in kinds.KINDS if name in {each.plural, each.singular, *each.short})


def _deployment(name: str, image: str, replicas: int) -> Raw:
    """What `kubectl create deployment` makes."""
    labels = {"app": name}
    container = {"name": image.rpartition("/")[2].partition(":")[0], "image": image}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}


def _rolled_out(found: Raw) -> bool:
    """https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go"""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return bool(seen and wanted <= updated == status.get("replicas", 0) == status.get("availableReplicas", 0))


def _meets(found: Sequence[Raw], until: str) -> bool:
    how, _, what = until.partition("=")
    if how == "delete":
        return not found
    name, _, wanted = what.partition("=")
    if how == "jsonpath":
        return bool(found) and all(_at(each, name) == wanted for each in found)
    said: list[dict[str, str]] = [
        {c["type"]: c["status"] for c in each["status"].get("conditions", ())} for each in found
    ]
    return bool(said) and all(each.get(name, "").lower() == (wanted or "true").lower() for each in said)


def _at(found: Any, path: str) -> str:
    """`{.items[*].metadata.name}` and the like."""
    steps = re.findall(r"\.([\w-]+)|\[(\*|\d+)\]", path)
    return " ".join(str(each) for each in _followed(found, steps))


def _followed(found: Any, steps: Sequence[tuple[str, str]]) -> Iterator[Any]:
    if not steps:
        yield found
        return
    (key, index), rest = steps[0], steps[1:]
    if index == "*":
        for each in found:
            yield from _followed(each, rest)
    elif index:
        yield from _followed(found[int(index)], rest)
    elif isinstance(found, Mapping) and key in found:
        yield from _followed(found[key], rest)


_TEXT: Mapping[str, Any] = {"default": ""}
_FLAG: Mapping[str, Any] = {"action": "store_true"}
_OPTIONS: Mapping[tuple[str, ...], Mapping[str, Any]] = {
    ("-n", "--namespace"): {"default": "default"},
    ("--context",): _TEXT,
    ("-l", "--selector"): _TEXT,
    ("--field-selector",): _TEXT,
    ("-o", "--output"): _TEXT,
    ("-f", "--filename"): _TEXT,
    ("-c", "--container"): _TEXT,
    ("-p", "--patch"): _TEXT,
    ("--type",): {"default": "strategic"},
    ("--field-manager",): _TEXT,
    ("--server-side",): _FLAG,
    ("--dry-run",): _TEXT,
    ("--image",): _TEXT,
    ("--from-literal",): {"action": "append", "default": []},
    ("--replicas",): {"type": int, "default": 1},
    ("--timeout",): {"default": "60s"},
    ("--for",): {"dest": "until"},
    ("--wait",): {"default": "true"},
    ("--all",): _FLAG,
    ("--ignore-not-found",): _FLAG,
    ("--show-managed-fields",): _FLAG,
    ("--raw",): {"nargs": "?", "default": ""},
    ("--minify",): _FLAG,
    ("--flatten",): _FLAG,
}


def _parsed(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("kubectl")
    parser.add_argument("verb")
    parser.add_argument("what", nargs="*")
    for names, how in _OPTIONS.items():
        parser.add_argument(*names, **how)
    return parser.parse_intermixed_args(args)


if __name__ == "__main__":
    sys.stdout.write(LittleKubectl(Path(os.environ["KUBECONFIG"]))(*sys.argv[1:]))
