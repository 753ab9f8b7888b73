"""Recorded BuildKit streams against text goldens, and the decoder against streams cut anywhere.

`DEVLOOP_UPDATE_GOLDENS=1 pytest tests/adapters/test_rawjson.py` writes the goldens anew; read the difference.
The streams were recorded from buildx 0.29.1 with the docker driver, except `container-driver` (written by hand after
what BuildKit's own image exporter reports) and `pretty` (`failed`, spread over lines as buildx 0.12 to 0.14 print).
"""

import base64
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.adapters.rawjson import BuildStream, Decoder
from devloop.core.events import StepState
from devloop.core.masking import Masker
from devloop.core.ports import BuildProgress, OutputLine, PushStarted, StepProgress

RECORDINGS = Path(__file__).parent.parent / "data" / "buildkit"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.rawjson"))


def phrase(progress: BuildProgress) -> str:
    match progress:
        case PushStarted():
            return "the push starts"
        case OutputLine(text, step):
            return f"{step:>2} | {text}"
        case StepProgress(step, name, state, cached, seconds, current, total):
            figures = [
                "cached" if cached else "",
                "" if seconds is None else f"{seconds:.3f}s",
                "" if current is None else f"{current}/{total or '?'}",
            ]
            return f"{step:>2} {' '.join([state, *filter(None, figures)])}: {name}"


def follow(chunks: Iterable[bytes], masker: Masker | None = None) -> tuple[BuildStream, list[BuildProgress]]:
    told: list[BuildProgress] = []
    stream = BuildStream(told.append, (masker or Masker()).mask)
    for chunk in chunks:
        stream.feed(chunk)
    stream.finish()
    return stream, told


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def vertex(name: str, *, digest: str = "sha256:1", **rest: object) -> dict[str, object]:
    return {"digest": digest, "name": name, "started": "2026-11-23T21:08:38.000000001Z", **rest}


def log(data: bytes, stream: int = 1) -> dict[str, object]:
    return {"vertex": "sha256:1", "stream": stream, "data": base64.b64encode(data).decode()}


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_build(name: str) -> None:
    stream, told = follow([(RECORDINGS / f"{name}.rawjson").read_bytes()])
    failed = stream.failed
    end = [f"failed{' to push' if failed.pushing else ''} in {failed.name}: {failed.error}"] if failed else []
    shown = "\n".join([*map(phrase, told), *end, *(f"text: {text}" for text in stream.text), ""])
    golden = RECORDINGS / f"{name}.txt"
    if os.environ.get("DEVLOOP_UPDATE_GOLDENS"):
        golden.write_text(shown)
    assert shown == golden.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_build_starts_its_push_once_and_ends_each_step_it_started(name: str) -> None:
    _, told = follow([(RECORDINGS / f"{name}.rawjson").read_bytes()])
    states = {p.step: p.state for p in told if isinstance(p, StepProgress)}
    assert all(state not in {StepState.STARTED, StepState.RUNNING} for state in states.values())
    assert sum(isinstance(p, PushStarted) for p in told) <= 1


@given(st.sampled_from(NAMES), st.data())
def test_a_stream_cut_anywhere_tells_the_same(name: str, data: st.DataObject) -> None:
    raw = (RECORDINGS / f"{name}.rawjson").read_bytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    chunks = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert follow(chunks)[1] == follow([raw])[1]


def test_pretty_printed_objects_tell_the_same_as_compact_ones() -> None:
    recordings = [(RECORDINGS / f"{name}.rawjson").read_bytes() for name in ("failed", "pretty")]
    assert follow([recordings[0]])[1] == follow([recordings[1]])[1]


def decoded(*chunks: bytes) -> Sequence[object]:
    decoder = Decoder()
    return [message for chunk in chunks for message in decoder.feed(chunk)] + list(decoder.finish())


def test_text_between_objects_is_kept_as_lines() -> None:
    assert decoded(b'WARN: x\n{"a":1}\n  indented\n\n{"b"', b":2}\nERROR: y") == [
        "WARN: x",
        {"a": 1},
        "  indented",
        {"b": 2},
        "ERROR: y",
    ]


def test_text_that_begins_like_an_object_is_text() -> None:
    assert decoded(b"{oops\nERROR: y\n", b'{"a":1}\n') == ["{oops", "ERROR: y", {"a": 1}]


def test_an_object_that_was_cut_off_is_dropped() -> None:
    assert decoded(b'{"a":1}\n{"vertexes":[{"dig') == [{"a": 1}]


def test_bytes_that_are_no_text_do_not_stop_the_reader() -> None:
    assert decoded(b"\xff\xfe\n", b'{"a":"\xc3', b'\xa9"}\n') == ["\ufffd\ufffd", {"a": "é"}]


def output(*messages: bytes) -> list[str]:
    return [p.text for p in follow(messages)[1] if isinstance(p, OutputLine)]


def test_output_is_split_at_newlines_however_it_arrives() -> None:
    start = line(vertexes=[vertex("RUN x")])
    assert output(start, line(logs=[log(b"one\ntw")]), line(logs=[log(b"o\nthr"), log(b"err", 2)])) == [
        *("one", "two"),
        *("thr", "err"),
    ]


def test_a_progress_bar_shows_only_what_it_showed_last() -> None:
    start = line(vertexes=[vertex("RUN x")])
    assert output(start, line(logs=[log(b" 1%\r 50%\r100%\r\nplain\r\n")])) == ["100%", "plain"]


def test_terminal_sequences_are_taken_out() -> None:
    start = line(vertexes=[vertex("RUN \x1b[31mred\x1b[0m")])
    told = follow([start, line(logs=[log(b"\x1b[1;32mgreen\x1b[0m\x1b]0;title\x07 \x1b[2K!\n")])])[1]
    assert [phrase(p) for p in told] == [" 1 started: RUN red", " 1 | green !"]


def test_a_line_without_end_is_passed_on_in_pieces() -> None:
    start = line(vertexes=[vertex("RUN x")])
    assert "".join(output(start, line(logs=[log(b"." * 20_000)]), line(logs=[log(b"!")]))) == "." * 20_000 + "!"


def test_secrets_are_hidden_in_names_lines_errors_and_text_even_when_they_arrive_in_two_pieces() -> None:
    secret = "s3cr3t-value"
    ended = vertex(f"RUN echo {secret}", completed="2026-11-23T21:08:39Z", error=f"{secret} failed")
    stream, told = follow(
        [
            line(vertexes=[vertex(f"RUN echo {secret}")]),
            line(logs=[log(b"it is s3cr3t")]),
            line(logs=[log(b"-value\n")]),
            line(vertexes=[ended]),
            f"ERROR: {secret}\n".encode(),
        ],
        Masker([secret]),
    )
    assert stream.failed is not None
    everything = repr((told, stream.failed, stream.text))
    assert "s3cr3t" not in everything
    assert stream.failed.name == "RUN echo ***"


def test_progress_is_clamped_and_told_only_when_it_moved() -> None:
    def at(current: int, total: int = 10_000_000) -> bytes:
        return line(statuses=[{"id": "layer", "vertex": "sha256:1", "current": current, "total": total}])

    messages = [at(current) for current in range(0, 30_000_000, 100_000)]
    told = follow([line(vertexes=[vertex("pushing x with docker")]), *messages])[1]
    seen = [(p.current, p.total) for p in told if isinstance(p, StepProgress) and p.state is StepState.RUNNING]
    assert seen[-1] == (10_000_000, 10_000_000)
    assert len(seen) <= 21


def test_progress_of_layers_is_added_up() -> None:
    def layer(name: str, current: int) -> dict[str, object]:
        return {"id": name, "vertex": "sha256:1", "current": current, "total": 2_000_000}

    told = follow(
        [line(vertexes=[vertex("pushing x")]), line(statuses=[layer("a", 1_000_000), layer("b", 2_000_000)])]
    )[1]
    last = told[-1]
    assert isinstance(last, StepProgress)
    assert (last.current, last.total) == (3_000_000, 4_000_000)


def test_a_step_stopped_because_another_one_failed_counts_as_cancelled() -> None:
    end = "2026-11-23T21:08:39Z"
    stream, told = follow(
        [
            line(vertexes=[vertex("RUN a"), vertex("RUN b", digest="sha256:2")]),
            line(vertexes=[vertex("RUN a", completed=end, error="exit code: 137: context canceled")]),
            line(vertexes=[vertex("RUN b", digest="sha256:2", completed=end, error="exit code: 1")]),
        ]
    )
    assert stream.failed is not None
    assert stream.failed.name == "RUN b"
    assert [p.state for p in told[2:] if isinstance(p, StepProgress)] == [StepState.CANCELLED, StepState.FAILED]


def test_the_last_lines_of_the_failed_step_are_kept() -> None:
    stream, _ = follow([(RECORDINGS / "failed.rawjson").read_bytes()])
    assert stream.failed is not None
    assert stream.failed.last_lines[-2:] == ("line 40", "cc: error: no such thing")
    assert len(stream.failed.last_lines) == 20


SHAPES = [
    {"vertexes": 5},
    {"vertexes": [{"digest": "x", "started": "yesterday", "completed": "today"}]},
    {"statuses": [None]},
    {"logs": [{"vertex": "sha256:1", "data": "not base64!"}]},
    {"warnings": [{"short": 1}]},
    {"new": {}},
]


@pytest.mark.parametrize("message", SHAPES, ids=str)
def test_a_message_of_another_shape_is_passed_over(message: dict[str, object]) -> None:
    start = line(vertexes=[vertex("RUN x")])
    assert output(start, line(**message), line(logs=[log(b"on\n")])) == ["on"]


@given(st.lists(st.binary()))
def test_any_bytes_can_be_read(chunks: list[bytes]) -> None:
    follow(chunks)
