"""`devloop doctor` where nothing answers: everything else is looked at all the same, and nothing else is mentioned."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devloop import __version__
from devloop.core.checkup import Check, Topic
from devloop.session.clean import without_secrets
from devloop.session.doctor import command
from devloop.session.doctor.images import _weighed
from devloop.session.doctor.report import Report, as_json, as_lines
from tests.adapters.fakeapi import pinned
from tests.adapters.own_registry import free_port

TOML = """
[services.web]
image = "127.0.0.1:{port}/shop/web"
build = "web"
"""


def report(*checks: Any) -> Report:
    return Report("1.2.3", datetime(2026, 3, 2, 9, 41, 7, tzinfo=UTC), "Linux 6.8.0", checks)


SEVERAL = report(
    Topic.PYTHON.ok("CPython 3.11.7"),
    Topic.CONFIG.failed("line 1: wrong\nline 2: wrong too", "mend that"),
    Topic.CONTEXT_SIZE.note("web: " + ", ".join(f"entry-{n} 10 MB" for n in range(8)), "x" * 120),
)


def test_the_plain_report_is_made_to_be_pasted() -> None:
    assert list(as_lines(SEVERAL)) == [
        "devloop 1.2.3 doctor · 2026-03-02 09:41 UTC · Linux 6.8.0",
        "",
        "machine",
        "  ✔ python         CPython 3.11.7",
        "",
        "project",
        "  ✘ configuration  line 1: wrong",
        "                   line 2: wrong too",
        "                   → mend that",
        "",
        "source",
        "  ! build context  web: entry-0 10 MB, entry-1 10 MB, entry-2 10 MB, entry-3 10 MB, entry-4 10 MB, entry-5",
        "                   10 MB, entry-6 10 MB, entry-7 10 MB",
        "                   → " + "x" * 120,
        "",
        "3 checks, 1 failed, 1 note",
    ]


def test_the_json_report_is_one_object() -> None:
    read = json.loads(as_json(SEVERAL))
    assert {key: read[key] for key in ("version", "time", "ok")} == {
        "version": "1.2.3",
        "time": "2026-03-02T09:41:07Z",
        "ok": False,
    }
    assert read["checks"][0] == {
        "group": "machine", "check": "python", "level": "ok", "message": "CPython 3.11.7", "fix": "",
    }  # fmt: skip
    assert json.loads(as_json(report(Topic.DISK.note("a"))))["ok"] is True


def test_every_message_is_cleaned_and_can_be_written() -> None:
    one = report(Topic.ENGINE.failed("at s3cret \udce9", "use s3cret")).cleaned(lambda text: text.replace("s3", "**"))
    assert [(check.message, check.fix) for check in one.checks] == [("at **cret ?", "use **cret")]


@pytest.mark.parametrize("url", ["https://jo:pass@host/x", "https://jo:p@ss@host/x", "https://token@host/x"])
def test_urls_are_told_without_their_users(url: str) -> None:
    assert without_secrets()(f"at {url} and") == "at https://host/x and"


@pytest.mark.parametrize(("topic", "level"), [(Topic.API_SERVER, "failed"), (Topic.NODES, "note")])
async def test_what_takes_too_long_is_told(topic: Topic, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> list[Check]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(command, "_PATIENCE", 0.01)
    (check,) = await command._within(topic, "the thing", never())
    assert check.level == level
    assert check.message == "the thing: not done within 0.01 s"


def test_an_engine_that_is_away_matters_to_builders_that_work_in_it() -> None:
    away, ready = Topic.ENGINE.failed("away", "start it"), Topic.BUILDER.ok("far is ready")
    follows, other = Topic.BUILDER.failed("away"), Topic.BUILDER.failed("no builder `x`")
    assert _weighed([away], [(follows, True)]) == [away], "told once"
    assert _weighed([away], [(follows, True), (ready, False)]) == [away, ready]
    assert _weighed([away], [(other, False), (follows, True)]) == [away, other]
    engine, builder = _weighed([away], [(ready, False)])
    assert (engine.level, engine.fix, builder) == ("note", "start it", ready)
    assert _weighed([Topic.ENGINE.ok("there")], [(other, False)]) == [Topic.ENGINE.ok("there"), other]


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that reaches no engine and no cluster."""
    (tmp_path / "docker").mkdir()
    away = {"KUBECONFIG": str(tmp_path / "none"), "DOCKER_HOST": "unix:///none/docker.sock"}
    return {**os.environ, **away, "DOCKER_CONFIG": str(tmp_path / "docker"), "PATH": "/usr/bin:/bin"}


def doctor(folder: Path, env: dict[str, str], *args: str) -> tuple[int, dict[tuple[str, str], list[dict[str, str]]]]:
    """The exit code, and the checks by group and name."""
    command = [sys.executable, "-m", "devloop", "doctor", "-o", "json", *args]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    read = json.loads(line)
    assert read["version"] == __version__
    assert read["ok"] is (done.returncode == 0)
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for check in read["checks"]:
        assert bool(check["fix"]) or check["level"] != "failed", check
        found.setdefault((check["group"], check["check"]), []).append(check)
    return done.returncode, found


def test_without_anything_only_what_there_is_is_told(tmp_path: Path, alone: dict[str, str]) -> None:
    (tmp_path / "here").mkdir()
    code, found = doctor(tmp_path / "here", alone)
    assert code == 3
    assert {group for group, _ in found} == {"machine", "engine", "cluster"}, "no source, no registry"
    assert [each["level"] for each in found["cluster", "kube context"]] == ["failed"]
    assert "no such file" in found["engine", "engine"][0]["message"]
    assert ("engine", "clock") not in found
    assert ("cluster", "API server") not in found


def test_a_terminal_that_knows_only_ascii(tmp_path: Path, alone: dict[str, str]) -> None:
    env = {**alone, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "devloop", "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert "  ? python          CPython" in done.stdout


def test_beside_a_dockerfile_its_context_is_looked_at(tmp_path: Path, alone: dict[str, str]) -> None:
    folder = tmp_path / "here"
    (folder / "src").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "src/a").write_text("x" * 2000)
    code, found = doctor(folder, alone)
    assert code == 3
    (context,) = found["source", "build context"]
    assert context["level"] == "ok"
    assert "2 files, 2.0 kB in .; the largest: src/a 2.0 kB" in context["message"]


def test_a_registry_that_is_away(tmp_path: Path, alone: dict[str, str]) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "devloop.toml").write_text(TOML.format(port=(port := free_port())))
    code, found = doctor(tmp_path, alone)
    assert code == 3
    assert found["project", "configuration"][0]["message"] == "devloop.toml: 1 service, web"
    (registry,) = found["registry", "registry"]
    assert registry["level"] == "failed"
    assert registry["message"] == f"the registry 127.0.0.1:{port} cannot be reached: connection refused"
    assert registry["fix"] == "is it running, and is its name right?"
    assert {name for group, name in found if group == "registry"} == {"registry"}, "nothing else was seen of it"


def test_a_wrong_file_is_one_failed_check_with_all_its_problems(tmp_path: Path, alone: dict[str, str]) -> None:
    (tmp_path / "devloop.toml").write_text('[services.web]\nimagee = "x"\nbuild = "none"\n')
    code, found = doctor(tmp_path, alone)
    assert code == 3
    (check,) = found["project", "configuration"]
    assert check["level"] == "failed"
    for words in (
        "devloop.toml:2: services.web.imagee: unknown key",
        "devloop.toml:3: services.web.build: there is no folder",
    ):
        assert words in check["message"]
    assert ("machine", "python") in found


def test_a_workload_of_a_cluster_that_is_away(tmp_path: Path, alone: dict[str, str]) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    pinned(tmp_path, f"https://127.0.0.1:{free_port()}", {})
    code, found = doctor(tmp_path, {**alone, "KUBECONFIG": str(tmp_path / "kubeconfig")}, "deployment/web")
    assert code == 3
    (server,) = found["cluster", "API server"]
    assert server["level"] == "failed"
    assert ("project", "configuration") not in found, "nothing is wrong with a file"


def test_a_service_that_does_not_exist(tmp_path: Path, alone: dict[str, str]) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "devloop.toml").write_text(TOML.format(port=1))
    code, found = doctor(tmp_path, alone, "wbe")
    assert code == 3
    assert "did you mean `web`?" in found["project", "configuration"][0]["message"]
    assert {group for group, _ in found} == {"machine", "project", "engine", "cluster"}


def test_nothing_secret_is_told(tmp_path: Path, alone: dict[str, str]) -> None:
    """Neither what a URL carries, nor what Docker's configuration holds and a message repeats."""
    (tmp_path / "docker/config.json").write_text('{"auths": {"r.example.com": {"password": "hunter2-hunter2"}}}')
    env = {**alone, "DOCKER_HOST": "tcp://jo:p%40ss-word@127.0.0.1:1/hunter2-hunter2"}
    code, found = doctor(tmp_path, env)
    said = repr(found)
    assert code == 3
    assert "tcp://127.0.0.1:1/***" in said
    for secret in ("p%40ss-word", "p@ss-word", "hunter2"):
        assert secret not in said
