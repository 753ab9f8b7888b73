"""Which images take devloop's own files, and what `init` and `doctor` say of it."""

from pathlib import Path

import pytest

from devloop.core.judgements import judge_own_files
from devloop.core.service import BuildSpec
from devloop.session.ownfiles import OWN, Taken, taken
from devloop.views.init import in_images


def found(root: Path, dockerfile: str, ignored: str = "", context: str = ".") -> dict[Taken, list[str]]:
    (root / context).mkdir(exist_ok=True)
    (root / context / "Dockerfile").write_text(f"FROM scratch\n{dockerfile}\n")
    (root / ".dockerignore").write_text(ignored)
    build = BuildSpec(root / context, root / context / "Dockerfile")
    return taken({"web": build, "worker": build}, [root / name for name in OWN])


@pytest.mark.parametrize(
    ("dockerfile", "ignored", "names"),
    [
        ("COPY . /app", "", OWN),
        ("COPY *.toml /app/", "", OWN),
        ("COPY . /app", "devloop.toml\n", OWN[1:]),
        ("COPY . /app", "devloop*.toml\n", ()),
        ("COPY app.py /app/", "", ()),
    ],
)
def test_what_a_copy_takes_and_no_pattern_leaves_out(
    tmp_path: Path, dockerfile: str, ignored: str, names: tuple[str, ...]
) -> None:
    expected = {Taken(names, tmp_path / ".dockerignore"): ["web", "worker"]} if names else {}
    assert found(tmp_path, dockerfile, ignored) == expected


def test_what_is_not_in_the_build_context_cannot_be_taken(tmp_path: Path) -> None:
    assert found(tmp_path, "COPY . /app", context="web") == {}


def test_the_words_name_the_lines_that_leave_them_out() -> None:
    assert in_images(["web", "worker"], OWN, ".dockerignore") == (
        "  ! devloop.toml and devloop.local.toml become part of the images of web and worker, so each edit builds "
        "anew: to leave that out, write the lines `devloop.toml` and `devloop.local.toml` into .dockerignore"
    )
    check = judge_own_files("web", OWN[:1], ".dockerignore")
    assert check.message == "web: devloop.toml is part of the image, so an edit of it makes another one"
    assert check.fix == "leave it out in .dockerignore: `devloop.toml`"
