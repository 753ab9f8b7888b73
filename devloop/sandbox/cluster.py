"""The sandbox's cluster as a whole: its API server, controllers and nodes, and the kubeconfig that leads to it."""

import asyncio
import base64
import os
import platform
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from devloop.sandbox import discovery, kinds, times
from devloop.sandbox.apiserver import ApiServer
from devloop.sandbox.certificate import make_certificate, server_context
from devloop.sandbox.containerloop import Timing
from devloop.sandbox.controllers.base import Controller
from devloop.sandbox.controllers.cleanup import GarbageCollector, NamespaceController
from devloop.sandbox.controllers.deployment import DeploymentController
from devloop.sandbox.controllers.endpoints import EndpointSliceController
from devloop.sandbox.controllers.replicaset import ReplicaSetController
from devloop.sandbox.controllers.scheduler import Scheduler
from devloop.sandbox.folder import KUBECONFIG
from devloop.sandbox.kubelet import Kubelet, Nodes
from devloop.sandbox.private import write_private
from devloop.sandbox.resources import Resources
from devloop.sandbox.runtimeport import NodeRuntime
from devloop.sandbox.serviceports import ServicePorts
from devloop.sandbox.store import Store

Raw = dict[str, Any]
CONTEXT = "devloop-sandbox"
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_CONTROLLERS: tuple[type[Controller], ...] = (
    DeploymentController,
    ReplicaSetController,
    Scheduler,
    EndpointSliceController,
    NamespaceController,
    GarbageCollector,
)


class Cluster:
    """A running sandbox cluster; see `start`."""

    def __init__(self, kubeconfig: Path, server: ApiServer, resources: Resources, services: ServicePorts) -> None:
        self.kubeconfig = kubeconfig
        """A file with one context."""
        self.context = CONTEXT
        self.server = server
        self.resources = resources
        self.services = services

    def url(self, namespace: str, service: str, port: int = 80) -> str | None:
        """Where that port of a Service is for a browser on this machine; None while there is no such Service."""
        local = self.services.local_port(namespace, service, port)
        return None if local is None else f"http://127.0.0.1:{local}/"

    @classmethod
    @asynccontextmanager
    async def start(
        cls, folder: Path, runtimes: Mapping[str, NodeRuntime], *, registry: str = "", timing: Timing | None = None
    ) -> "AsyncIterator[Cluster]":
        """Run a cluster with one node for each runtime until the block is left; nothing of it is left behind.

        `registry` (HOST:PORT) is what the cluster says of its local registry, as KEP-1755 has it.
        """
        resources = Resources(Store())
        _populate(resources, registry)
        kubelets: list[Kubelet] = []
        services = ServicePorts(resources, Nodes(kubelets))
        kubelets += [
            Kubelet(name, number, runtime, resources, timing or Timing(), services.environment)
            for number, (name, runtime) in enumerate(runtimes.items(), 1)
        ]
        token = secrets.token_urlsafe(32)
        certificate, key = make_certificate(CONTEXT)
        server = ApiServer(resources, Nodes(kubelets), token, server_context(certificate, key))
        await server.start()
        kubeconfig = folder / KUBECONFIG
        tasks = [asyncio.create_task(each(resources).run()) for each in _CONTROLLERS]
        try:
            # Controllers subscribe when their tasks begin, and nodes are news for the scheduler.
            await asyncio.sleep(0)
            services.start()
            for kubelet in kubelets:
                kubelet.start()
                resources.create(kinds.NODE, "", _node(kubelet), "kubelet")
            write_private(kubeconfig, yaml.safe_dump(_kubeconfig(server.port, certificate, token)))
            yield cls(kubeconfig, server, resources, services)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.stop()
            await services.stop()
            await asyncio.gather(*(kubelet.stop() for kubelet in kubelets))
            kubeconfig.unlink(missing_ok=True)


def _populate(resources: Resources, registry: str) -> None:
    for name in _NAMESPACES:
        resources.create(kinds.NAMESPACE, "", {"metadata": {"name": name}}, "kube-apiserver")
    if registry:
        data = {"localRegistryHosting.v1": yaml.safe_dump({"host": registry, "hostFromContainerRuntime": registry})}
        body = {"metadata": {"name": "local-registry-hosting"}, "data": data}
        resources.create(kinds.CONFIG_MAP, "kube-public", body, "devloop-sandbox")


def _node(kubelet: Kubelet) -> Raw:
    architecture, now = _ARCHITECTURES.get(platform.machine(), platform.machine()), times.now()
    labels = {"kubernetes.io/arch": architecture, "kubernetes.io/os": "linux", "kubernetes.io/hostname": kubelet.name}
    info = {
        "architecture": architecture, "operatingSystem": "linux", "osImage": "devloop sandbox (processes)",
        "kernelVersion": platform.release(), "kubeletVersion": discovery.VERSION, "kubeProxyVersion": "",
        "containerRuntimeVersion": f"sandbox://{sys.version_info.major}.{sys.version_info.minor}",
        "bootID": "", "machineID": "", "systemUUID": "",
    }  # fmt: skip
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
             "lastHeartbeatTime": now, "lastTransitionTime": now}  # fmt: skip
    size = {"cpu": str(os.cpu_count() or 1), "memory": "8Gi", "ephemeral-storage": "64Gi", "pods": "110"}
    addresses = [{"type": "InternalIP", "address": kubelet.address}, {"type": "Hostname", "address": kubelet.name}]
    status = {"addresses": addresses, "allocatable": size, "capacity": size, "conditions": [ready], "nodeInfo": info,
              "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}}  # fmt: skip
    return {"metadata": {"name": kubelet.name, "labels": labels}, "spec": {}, "status": status}


def _kubeconfig(port: int, certificate: str, token: str) -> Raw:
    authority = base64.b64encode(certificate.encode()).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
    }  # fmt: skip
