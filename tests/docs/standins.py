"""What the commands of the documents are where there is no engine and no kubectl: `python -m tests.docs.standins NAME`.

`devloop` is devloop, with a builder that needs no engine; of `docker` there is a build that pushes, of `kubectl` that
which the documents use to put something into a cluster.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from devloop.cli import main
from devloop.session import assembly
from tests.e2e import withoutengine
from tests.sandbox.client import Api, rolled_out

_PATHS = {"Deployment": "apis/apps/v1", "Service": "api/v1", "Namespace": "api/v1"}


def devloop(args: list[str]) -> None:
    assembly.full_builder = withoutengine.full_builder
    main(args, prog_name="devloop")


def docker(args: list[str]) -> None:
    """`docker buildx build --push -t REFERENCE FOLDER`."""
    assert args[:4] == ["buildx", "build", "--push", "-t"], args
    withoutengine.push(Path(args[5]).absolute(), args[4])


def kubectl(args: list[str]) -> None:
    """`kubectl apply -f FILE`, of what is not there yet; `kubectl rollout status deployment/NAME`."""
    if args[:2] == ["apply", "-f"]:
        asyncio.run(_create([*yaml.safe_load_all(Path(args[2]).read_text("utf-8"))]))
    else:
        assert args[:2] == ["rollout", "status"], args
        asyncio.run(_until_rolled_out(args[2].removeprefix("deployment/")))


async def _create(objects: list[dict[str, Any]]) -> None:
    async with Api.of(Path(os.environ["KUBECONFIG"])) as api:
        for each in objects:
            kind, name = each["kind"], each["metadata"]["name"]
            await api.create(f"/{_PATHS[kind]}/namespaces/{_namespace()}/{kind.lower()}s", each)
            print(f"{kind.lower()}{'.apps' if kind == 'Deployment' else ''}/{name} created")


async def _until_rolled_out(name: str) -> None:
    async with Api.of(Path(os.environ["KUBECONFIG"])) as api:
        await api.until(f"/apis/apps/v1/namespaces/{_namespace()}/deployments/{name}", rolled_out)
    print(f'deployment "{name}" successfully rolled out')


def _namespace() -> str:
    (context,) = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text("utf-8"))["contexts"]
    return str(context["context"]["namespace"])


if __name__ == "__main__":
    {"devloop": devloop, "docker": docker, "kubectl": kubectl}[sys.argv[1]](sys.argv[2:])
