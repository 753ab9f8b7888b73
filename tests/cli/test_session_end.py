"""However a session ends, its log ends with `session_finished`."""

import json
import os
from pathlib import Path
from typing import Any, cast

import pytest

from devloop.core.failure import ExitCode
from devloop.session.project import Project
from devloop.session.renderers import Output
from devloop.session.up import Options, Session, up


async def test_a_mistake_of_devloops_own_is_the_end_of_a_complete_recording(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def mistake(_: Any) -> ExitCode:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Session, "_run", mistake)
    with pytest.raises(RuntimeError, match="a mistake"):
        await up(cast(Project, None), Options(Output.JSON))
    (recording,) = Path(os.environ["DEVLOOP_STATE_DIR"], "sessions").glob("*.ndjson")
    out, err = capfd.readouterr()
    assert out == recording.read_text()
    event = json.loads(out.splitlines()[-1])
    assert (event["event"], event["exit_code"]) == ("session_finished", 1)
    assert f"recorded in {recording}" in err
