"""What is told fits the terminal, and what is to be copied stays whole."""

import shlex

import pytest

from devloop.views import Phrase
from devloop.views.wrapping import continued, fitted, hanging, wrapped


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("  ✔ web/Dockerfile -> deployment/web", ["  ✔ web/Dockerfile ->", "    deployment/web"]),
        ("      image nginx: nobody can push", ["      image nginx:", "      nobody can push"]),
        ("→ docker, then the rest of it all", ["→ docker, then the", "  rest of it all"]),
        ("  web  verified, and more of it", ["  web  verified, and", "       more of it"]),
        ("  ✔          two on node2: it runs", ["  ✔          two on", "             node2: it", "             runs"]),
        ("short", ["short"]),
        ("", [""]),
    ],
)
def test_what_does_not_fit_stands_below_its_first_word(line: str, lines: list[str]) -> None:
    assert hanging(line, 22) == lines


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("choose another with `docker context use NAME` or so", "`docker context use NAME`"),
        ("what takes the space: docker system df", "docker system df"),
        ("left deployment/web; undo: devloop restore deployment/web", "undo: devloop restore deployment/web"),
        ("is recorded in /a/file, which stays", "recorded in /a/file"),
        ("kubectl describe node n1, if you may", "kubectl describe node n1"),
        ("all of the build context has 120 MB", "120 MB"),
    ],
)
def test_what_is_copied_or_read_as_one_stays_in_one_line(text: str, whole: str) -> None:
    for width in range(5, 50):
        lines = wrapped(text, width)
        assert any(whole in line for line in lines), lines
        assert " ".join(lines) == text


@pytest.mark.parametrize(
    ("hint", "lines"),
    [
        ("→ kubectl set image deployment/web web=registry:5000/shop/web:dev", 1),
        ("→ let it pause: flux suspend kustomization shop -n flux-system; then: devloop up web", 1),
        ("→ without an engine there are FROM, COPY, ADD of files and metadata; the rest needs Docker with buildx", 3),
    ],
)
def test_a_hint_is_wrapped_where_it_is_no_command(hint: str, lines: int) -> None:
    fitting = fitted([Phrase(hint)], 40)
    assert len(fitting) == lines
    assert " ".join(line.text.strip() for line in fitting) == hint


def test_a_long_word_is_not_broken() -> None:
    assert wrapped("see /a/very/long/path here", 8) == ["see", "/a/very/long/path", "here"]


def test_a_command_in_several_lines_is_the_same_to_a_shell() -> None:
    line = "docker build --build-arg 'GREETING=good  day, all of you' --tag web ."
    for width in range(12, 90):
        lines = continued(line, width, "  build  ", "    ")
        read = "\n".join(lines).replace("\\\n", "")  # as a shell does; shlex does not
        assert shlex.split(read) == ["build", *shlex.split(line)]
    assert len(continued(line, 30, "", "")) > 1
    assert continued(line, 90, "", "") == [line]
