"""Whether an image by a layer and a full build can be compared at all."""

import pytest

from devloop.adapters.appending import Appendable
from devloop.adapters.audit import run_anew
from devloop.adapters.layer import NoLayerError

_STEPS = ("ADD rootfs.tar / # buildkit", "RUN /bin/sh -c pip install # buildkit", "COPY . /app # buildkit")


def _image(*steps: str, layers: int) -> Appendable:
    history = [{"created_by": step} for step in steps] + [{"created_by": "CMD [...]", "empty_layer": True}]
    manifest = {"layers": [{"digest": f"sha256:{number}"} for number in range(layers)]}
    return Appendable("sha256:built", "", b"", manifest, {"history": history})


@pytest.mark.parametrize(("shared", "anew"), [(0, False), (1, True), (2, False), (3, False)])
def test_a_run_behind_the_same_layers_was_run_anew(shared: int, anew: bool) -> None:
    """What was saved shows in the layer of its COPY first."""
    assert run_anew(_image(*_STEPS, layers=3), shared) is anew


def test_a_history_that_does_not_tell() -> None:
    with pytest.raises(NoLayerError, match="does not tell"):
        run_anew(_image(*_STEPS, layers=2), 1)
