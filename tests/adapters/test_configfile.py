"""Reading `devloop.toml`: found, overlaid, and every problem of it in one go with its file and line."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters.configfile import LoadedConfig, load
from devloop.core.config import BuildConfig, ServiceConfig
from devloop.core.problems import Problem, Problems
from devloop.core.resolve import resolve
from devloop.core.service import Service

EXAMPLE = Path(__file__).parents[2] / "devloop.toml.example"
SERVICE = '[services.web]\nimage = "h:5000/web"\n'
Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files into a folder that already has a Dockerfile, and returns the folder."""

    def write_all(files: Mapping[str, str]) -> Path:
        for name, text in {"Dockerfile": "FROM scratch\n", **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write_all


def loaded(folder: Path, environ: Mapping[str, str] | None = None) -> LoadedConfig:
    found = load(None, folder, environ or {})
    assert isinstance(found, LoadedConfig), str(found)
    return found


def problems(folder: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    found = load(None, folder, environ or {})
    assert isinstance(found, Problems), found
    return [str(problem) for problem in found]


def service(folder: Path, environ: Mapping[str, str] | None = None) -> ServiceConfig:
    return loaded(folder, environ).config.services["web"]


def test_the_nearest_file_above_counts(write: Write) -> None:
    folder = write({"devloop.toml": SERVICE, "a/b/c.txt": "", "a/devloop.toml": "[loop]\n"})
    below, above = loaded(folder / "a/b"), loaded(folder)
    assert (below.path, below.root) == (folder / "a/devloop.toml", folder / "a")
    assert (above.path, above.root, above.overlay) == (folder / "devloop.toml", folder, None)


def test_there_need_not_be_one(tmp_path: Path) -> None:
    assert load(None, tmp_path, {}) is None


def test_another_file_may_be_named_and_has_the_same_overlay(write: Write) -> None:
    folder = write({"x/other.toml": SERVICE + 'build = ".."', "x/devloop.local.toml": '[services.web]\ntag = "mine"\n'})
    found = load(Path("x/other.toml"), folder, {})
    assert isinstance(found, LoadedConfig)
    assert (found.root, found.overlay) == (folder / "x", folder / "x/devloop.local.toml")
    assert found.config.services["web"].tag == "mine"


def test_an_overlay_named_as_the_file_is_not_laid_over_itself(write: Write) -> None:
    folder = write({"devloop.local.toml": SERVICE})
    found = load(folder / "devloop.local.toml", folder, {})
    assert isinstance(found, LoadedConfig)
    assert found.overlay is None


def test_tables_are_merged_and_lists_replaced(write: Write) -> None:
    folder = write(
        {
            "devloop.toml": '[cluster]\nnamespace = "a"\nallow = ["a", "b"]\n' + SERVICE + 'tag = "base"\n',
            "devloop.local.toml": '[cluster]\ncontext = "mine"\nallow = ["c"]\n[services.web]\npin = "digest"\n',
        }
    )
    found = loaded(folder)
    assert (found.config.cluster.namespace, found.config.cluster.context) == ("a", "mine")
    assert [place.context for place in found.config.cluster.allow] == ["c"]
    assert (found.config.services["web"].tag, found.config.services["web"].pin) == ("base", "digest")
    assert found.overlay == folder / "devloop.local.toml"


@pytest.mark.parametrize(
    ("base", "overlay", "tag"),
    [
        ('image = "h:5000/web:base"', 'tag = "mine"', "mine"),
        ('image = "h:5000/web"\ntag = "base"', 'image = "h:5000/web:mine"', "mine"),
        ('image = "h:5000/web:base"', 'image = "h:5000/web:mine"', "mine"),
        ('image = "h:5000/web:base"', 'image = "h:5000/web"', "base"),
    ],
)
def test_the_tag_of_the_overlay_wins(write: Write, base: str, overlay: str, tag: str) -> None:
    folder = write({"devloop.toml": f"[services.web]\n{base}\n", "devloop.local.toml": f"[services.web]\n{overlay}\n"})
    assert (service(folder).image, service(folder).tag) == ("h:5000/web", tag)


@pytest.mark.parametrize(
    ("base", "overlay"),
    [('build = "src"', 'build = { target = "dev" }'), ('build = { target = "dev" }', 'build = "src"')],
)
def test_a_folder_and_a_table_are_merged(write: Write, base: str, overlay: str) -> None:
    files = {"devloop.toml": SERVICE + base, "devloop.local.toml": f"[services.web]\n{overlay}\n", "src/Dockerfile": ""}
    assert service(write(files)).build == BuildConfig(context="src", target="dev")


@pytest.mark.parametrize(
    ("text", "environ", "value"),
    [
        ("${TAG}", {"TAG": "v1"}, "v1"),
        ("a-${TAG}-${TAG}", {"TAG": "v1"}, "a-v1-v1"),
        ("${TAG:-v2}", {}, "v2"),
        ("${TAG:-v2}", {"TAG": ""}, "v2"),
        ("${TAG:-}", {}, ""),
        ("${TAG}", {"TAG": ""}, ""),
        ("${TAG}", {"TAG": "{user}"}, "{user}"),
    ],
)
def test_variables(write: Write, text: str, environ: Mapping[str, str], value: str) -> None:
    assert service(write({"devloop.toml": f'{SERVICE}tag = "{text}"\n'}), environ).tag == value


def test_variables_can_be_written_as_characters_and_are_not_filled_in_twice(write: Write) -> None:
    folder = write({"devloop.toml": SERVICE + 'build.args = { A = "$${B} $B $$", C = "${D}" }\n'})
    assert service(folder, {"D": "${B}"}).build.args == {"A": "${B} $B $$", "C": "${B}"}


CASES = (Path(__file__).parents[1] / "data" / "config_problems.txt").read_text("utf-8").split("\n=====\n")
"""Each a `devloop.toml`, a line of dashes, and what is said about it; beside it are the files of `TREE`."""
TREE = ("src/dev.Dockerfile", "src/Dockerfile", "other/Containerfile", "empty/x")


@pytest.mark.parametrize("case", CASES)
def test_problems(write: Write, case: str) -> None:
    text, _, expected = case.partition("\n-----\n")
    folder = write({"devloop.toml": text, **dict.fromkeys(TREE, "")})
    assert problems(folder) == expected.splitlines()


def test_all_problems_in_one_go_in_the_order_of_the_file(write: Write) -> None:
    text = """\
[cluster]
contxt = "x"

[services.web]
image = "shop/web"
buid = "nope"
depends_on = ["dbb"]

[services.db]
image = "h:5000/db"
build = { dockerfile = "x", flags = ["--load"] }
workload = "job/db"

[loop]
parallel_builds = "3"

[ui]
notify = "no"
"""
    keys = [
        re.sub(r"^devloop.toml:(\d+): ([\w.]+): .*", r"\1 \2", line) for line in problems(write({"devloop.toml": text}))
    ]
    assert keys == [
        "2 cluster.contxt",
        "5 services.web.image",
        "6 services.web.buid",
        "6 services.web.buid",
        "7 services.web.depends_on",
        "11 services.db.build.flags",
        "11 services.db.build.dockerfile",
        "12 services.db.workload",
        "15 loop.parallel_builds",
        "18 ui.notify",
    ]


def test_a_problem_names_the_file_that_the_value_came_from(write: Write) -> None:
    folder = write(
        {
            "devloop.toml": SERVICE + 'tag = "-"\npin = "x"\ndepends_on = "a"\n',
            "devloop.local.toml": '\n\n[services.web]\npin = "y"\ncontainer = 1\nwatch = "${NOPE}"\n',
            "sub/x": "",
        }
    )
    assert [
        problem.partition(": `")[0].partition(": must")[0].partition(": the")[0] for problem in problems(folder / "sub")
    ] == [
        "../devloop.toml:3: services.web.tag",
        "../devloop.toml:5: services.web.depends_on",
        "../devloop.local.toml:4: services.web.pin",
        "../devloop.local.toml:5: services.web.container",
        "../devloop.local.toml:6: services.web.watch",
    ]


def test_a_broken_overlay_and_a_broken_file_are_both_told(write: Write) -> None:
    broken = problems(write({"devloop.toml": "a = ", "devloop.local.toml": "\n[b"}))
    assert [problem.partition(": is")[0] for problem in broken] == ["devloop.toml:1", "devloop.local.toml:2"]
    overlay_only = problems(write({"devloop.toml": SERVICE + "tag = 5"}))
    assert [problem.partition(": ")[0] for problem in overlay_only] == ["devloop.local.toml:2", "devloop.toml:3"]


@pytest.mark.parametrize(
    "own", ['load = "auto"', 'image = "h:5000/me/web"\nbuild = "nope"', 'lod = "auto"\nwatch = ["nope"]', ""]
)
def test_a_misspelt_service_of_the_overlay_is_told_once(own: str, write: Write) -> None:
    overlay = f"[loop]\non_exit = 5\n[services.wbe]\n{own}\n"
    assert problems(write({"devloop.toml": SERVICE, "devloop.local.toml": overlay}))[1:] == [
        "devloop.local.toml:3: services.wbe: devloop.toml has no such service; did you mean `web`?"
    ]


def test_a_service_of_the_overlay_alone_that_lacks_nothing_or_is_like_none_is_told_as_it_is(write: Write) -> None:
    complete = '[services.web2]\nimage = "h:5000/web2"\nbuild = "two"\n'
    folder = write({"devloop.toml": SERVICE, "devloop.local.toml": complete, "two/Dockerfile": ""})
    assert set(loaded(folder).config.services) == {"web", "web2"}
    wrong = problems(write({"devloop.local.toml": complete + "tag = 5\n"}))
    assert wrong == ["devloop.local.toml:4: services.web2.tag: must be a string, not a whole number; put it in quotes"]
    (unlike,) = problems(write({"devloop.local.toml": '[services.billing]\nbuild = "two"\n'}))
    assert unlike.startswith("devloop.local.toml:1: services.billing.image: is missing; ")


def test_what_differs_from_the_default_only_by_cluster_clashes_only_there(write: Write) -> None:
    folder = write(
        {
            "devloop.toml": '[services.a]\nimage = "h:5000/x"\n[services.b]\nimage = "h:5000/x:dev"\nbuild = "src"\n',
            "src/Dockerfile": "",
        }
    )
    assert "b" in loaded(folder).config.services


def test_the_same_image_from_two_builds(write: Write) -> None:
    text = '[services.a]\nimage = "h:5000/x"\n[services.b]\nimage = "h:5000/x"\nbuild = "src"\n'
    folder = write({"devloop.toml": text, "src/Dockerfile": ""})
    assert problems(folder)[0].startswith("devloop.toml:4: services.b.tag: ")


def test_files_that_cannot_be_read(write: Write) -> None:
    folder = write({"x": ""})
    (folder / "devloop.toml").write_bytes(b"\xff\xfe")
    assert problems(folder) == ["devloop.toml: is not UTF-8, as TOML has to be; save it as UTF-8"]
    missing = load(Path("nope.toml"), folder, {})
    assert missing == (
        Problem("nope.toml", None, "", "cannot be read (No such file or directory)", "create it, or leave `-f` out"),
    )
    assert isinstance(load(Path(), folder, {}), Problems)


def test_a_byte_order_mark_is_passed_over(write: Write) -> None:
    assert service(write({"devloop.toml": "\ufeff" + SERVICE})).image == "h:5000/web"


def test_no_problem_repeats_what_may_be_secret(write: Write) -> None:
    text = SERVICE + (
        'build = { args = { T = "${T}", N = ["hunter2"] }, secrets = ["hunter2"], flags = ["hunter2"],\n'
        'cache_from = { a = "hunter2" } }\n'
    ).replace(",\n", ", ")
    found = problems(write({"devloop.toml": text}), {"T": "hunter2"})
    assert len(found) == 4
    assert "hunter2" not in "".join(found)


FILES = ("db/Dockerfile", "web/Dockerfile.dev", "shared/x", ".npmrc")


def test_the_example_is_valid_and_shows_every_key(write: Write) -> None:
    folder = write({"devloop.toml": EXAMPLE.read_text("utf-8"), **dict.fromkeys(FILES, "")})
    config = loaded(folder).config
    web = config.services["web"]
    for table in (config.cluster, web, web.build, config.loop, config.cluster.allow[1]):
        assert table.model_fields_set == set(type(table).model_fields)
    services = resolve(config, root=folder, context_namespace="", local=True, user="jo", branch="main")
    assert not isinstance(services, Problems)
    assert [str(each.image) for each in services] == [
        "registry.example.com/shop/db:dev",
        "registry.example.com/shop/web:dev-main",
    ]


def test_the_example_of_the_reference_is_valid(write: Write) -> None:
    document = (EXAMPLE.parent / "docs/configuration.md").read_text("utf-8")
    base, overlay = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)
    folder = write({"devloop.toml": base, "devloop.local.toml": overlay, "web/Dockerfile": ""})
    assert service(folder).tag == "jo-{branch}"


def resolved(folder: Path, **scope: Any) -> tuple[Service, ...]:
    found = loaded(folder)
    services = resolve(found.config, root=found.root, context_namespace="", user="jo", branch="", local=True, **scope)
    assert not isinstance(services, Problems)
    return services


def test_paths_are_relative_to_the_file_wherever_one_stands(write: Write) -> None:
    folder = write({"devloop.toml": SERVICE + 'build = "src"\n', "src/Dockerfile": "", "deep/er/x": ""})
    assert resolved(folder / "deep/er")[0].build.context == folder / "src"
