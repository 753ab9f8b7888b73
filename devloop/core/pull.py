"""Why a node could not pull an image: from the kubelet's word and the registry client's message to a cause."""

import re
from collections.abc import Sequence

from devloop.core.failure import Failure, FailureCode
from devloop.core.patch import loaded_into
from devloop.core.status import Trouble
from devloop.core.workload import ClusterEvent, ContainerStatus, Pod, Waiting

# Container states' `waiting.reason`, from kubernetes/pkg/kubelet/images/types.go.
_FINAL = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "SignatureValidationFailed"}
_REASONS = _FINAL | {"ErrImagePull", "RegistryUnavailable"}

_WRAPPING = re.compile(
    r'(?:Back-off pulling image "[^"]*"(?:: )?|(?:Error: )?ErrImagePull(?:: )?|Failed to pull image "[^"]*": '
    r'|rpc error: code = \w+ desc = |failed to pull and unpack image "[^"]*": |failed to resolve image: '
    r'|failed to resolve reference "[^"]*": |failed to do request: )'
)
"""What kubelet and containerd put around the cause, each time with the same image name."""

_ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"HTTP response to HTTPS client",
        "that registry speaks plain HTTP, and the node's container runtime has to be told so",
    ),
    (r"x509|certificate", "the node does not trust the registry's certificate: add its CA to the node's runtime"),
    (
        r"unauthorized|denied|forbidden|authentication|authorization|no basic auth|401|403",
        "give the Pods credentials for that registry: `imagePullSecrets` of the workload or of its service account",
    ),
    (
        r"toomanyrequests|429",
        'the registry limits how often it is asked: log in to it, use a mirror, or set `pin = "digest"`, '
        "which asks only for what a node does not have",
    ),
    (
        r"not found|manifest unknown|name unknown",
        "push that image, or correct its name; when nodes reach the registry of a service under another name than "
        "this machine does, set `image` to the nodes' name and `push_image` to yours",
    ),
    (
        r"no such host|connection refused|i/o timeout|no route|dial tcp|network is unreachable|deadline exceeded|EOF",
        "the node cannot reach the registry under that name: set `image` to the name that nodes use, "
        "and `push_image` to the one that works from here",
    ),
)
_DEFINITE = re.compile(
    r"not found|manifest unknown|name unknown|unauthorized|denied|forbidden|HTTP response to HTTPS client|x509"
    r"|authentication required|insufficient_scope|no match for platform|invalid reference",
    re.IGNORECASE,
)


def pull_trouble(
    namespace: str, pod: Pod, status: ContainerStatus, events: Sequence[ClusterEvent], build: str = ""
) -> Trouble | None:
    """None unless the container waits for its image in vain. `build` is the template's mark.

    A first `ErrImagePull` may heal by itself, so it ends a rollout only when the registry's answer is definite; the
    kubelet's back-off means that it has failed more than once.
    """
    if not isinstance(status.state, Waiting) or status.state.reason not in _REASONS:
        return None
    image = _image(pod, status.name)
    said = [e.message for e in events if e.reason == "Failed"]
    cause = _cause(status.state, said).removeprefix(f"{image}: ")
    if cluster := loaded_into(build, image):
        failure = _not_there(pod, image, cluster)
        # Only loading it again helps: no registry that the node may ask has it.
        return Trouble(f"{failure.code}:{pod.revision}:{status.name}", failure, ends=True)
    failure = _failure(namespace, pod, status.name, status.state.reason, cause)
    ends = status.state.reason in _FINAL or bool(_DEFINITE.search(cause))
    return Trouble(f"{failure.code}:{pod.revision}:{status.name}", failure, ends=ends)


def _not_there(pod: Pod, image: str, cluster: str) -> Failure:
    node = pod.node or "the node"
    return Failure(
        FailureCode.IMAGE_PULL,
        f"{node} has no copy of {image}, which was loaded into {cluster}, and no registry has it either",
        f"save again to load it once more; if it stays so, {node} is no node of that cluster, or has removed the image "
        f"for want of disk: `kubectl describe node {node}`",
    )


def _failure(namespace: str, pod: Pod, container: str, reason: str, cause: str) -> Failure:
    where, image = pod.node or "the node", _image(pod, container)
    if "no match for platform" in cause:
        return Failure(
            FailureCode.WRONG_ARCHITECTURE,
            f"{where} cannot run {image}: the image has nothing for that node's platform",
            f"build for the node: `platform` in the service's `build`; `kubectl get node {where} -o wide` shows it",
        )
    if reason == "ErrImageNeverPull":
        return Failure(
            FailureCode.IMAGE_PULL,
            f"{where} has no copy of {image}, and its pull policy is Never",
            'set the container\'s `imagePullPolicy` to `Always`, as `pin = "tag"` does',
        )
    return Failure(
        FailureCode.IMAGE_PULL,
        f"{where} cannot pull {image} for container {container}: {cause or reason}",
        _advice(cause, namespace, pod),
    )


def _advice(cause: str, namespace: str, pod: Pod) -> str:
    found = (advice for pattern, advice in _ADVICE if re.search(pattern, cause, re.IGNORECASE))
    return next(found, f"`kubectl describe pod {pod.name} -n {namespace}` shows what the node tried")


def _cause(state: Waiting, failed: Sequence[str]) -> str:
    """The kubelet's message, or its last Event when the message is only about the back-off."""
    own = unwrapped(state.message)
    told = [text for text in map(unwrapped, failed) if text and text not in {"ImagePullBackOff", "Error"}]
    return own or (told[-1] if told else "")


def unwrapped(message: str) -> str:
    """What is left of a pull error without its wrapping."""
    return _WRAPPING.sub("", message).removeprefix("Error: ").strip()


def _image(pod: Pod, container: str) -> str:
    spec = pod.spec(container)
    return spec.image if spec is not None else f"the image of container {container}"
