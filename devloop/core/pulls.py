"""What the kubelet's `Pulled` Events say: how long a pull took, and how much it was."""

import re

from devloop.core.why.stale import PRESENT

_PULLED = re.compile(r'^Successfully pulled image ".*" in (\S+)(?: \((\S+) including waiting\))?')
_SIZE = re.compile(r"Image size: (\d+) bytes")
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def pull_seconds(message: str) -> float | None:
    """What a pull cost the Pod's start, waiting for other pulls included; 0.0 from the node's copy, None unknown."""
    if PRESENT in message:
        return 0.0
    found = _PULLED.match(message)
    return go_seconds(found.group(2) or found.group(1)) if found else None


def pulled_bytes(message: str) -> int:
    """The size of the image as the registry keeps it, compressed; 0 when the kubelet did not say."""
    found = _SIZE.search(message)
    return int(found.group(1)) if found else 0


def go_seconds(text: str) -> float | None:
    """A Go duration (`1m2.5s`, `37ms`) in seconds; None when it is none."""
    parts = _GO_DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return round(sum(float(number) * _SECONDS[unit] for number, unit in parts), 6)
