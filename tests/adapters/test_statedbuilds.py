"""What compose.yaml and skaffold.yaml say of builds, and what they leave open."""

from pathlib import Path

import pytest

from devloop.adapters.statedbuilds import read_stated
from devloop.core.init.source import StatedBuild

COMPOSE = """
services:
  db:
    image: postgres:16
  web:
    build: ./web
    image: localhost:5001/shop/web:1
    depends_on: [api, db]
  api:
    build:
      context: .
      dockerfile: api/Dockerfile.dev
      target: dev
      args: {MODE: dev, DEBUG: true, PORT: 8080, TOKEN: $TOKEN, HOME: }
    depends_on:
      db: {condition: service_healthy}
  worker:
    build:
      context: api
      args: [MODE=prod, FROM_ENVIRONMENT]
    image: ${REGISTRY}/worker
  inline:
    build:
      dockerfile_inline: FROM scratch
  git:
    build: https://github.com/acme/x.git
  above:
    build: ../other
  absent:
    build: nowhere
  odd: !reset null
"""
SKAFFOLD = """
apiVersion: skaffold/v4beta11
kind: Config
build:
  artifacts:
    - image: registry.example.com/shop/web
      context: web
    - image: worker
      context: api
      docker:
        dockerfile: Dockerfile.dev
        target: worker
        buildArgs: {MODE: dev, IMAGE: "{{.IMAGE_REPO}}"}
    - image: java
      context: web
      jib: {}
---
apiVersion: skaffold/v4beta11
kind: Config
build:
  artifacts:
    - image: second
      context: web
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("web/Dockerfile", "api/Dockerfile", "api/Dockerfile.dev"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("FROM scratch\n")
    return tmp_path


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"])
def test_compose(root: Path, name: str) -> None:
    (root / name).write_text(COMPOSE)
    assert read_stated(root) == (
        [
            StatedBuild(name, "web/Dockerfile", "web", "web", "localhost:5001/shop/web:1", depends_on=("api", "db")),
            StatedBuild(
                name, "api/Dockerfile.dev", ".", "api", target="dev",
                args=(("DEBUG", "true"), ("MODE", "dev"), ("PORT", "8080")), depends_on=("db",),
            ),
            StatedBuild(name, "api/Dockerfile", "api", "worker", args=(("MODE", "prod"),)),
        ],
        [],
    )  # fmt: skip


def test_skaffold(root: Path) -> None:
    (root / "skaffold.yaml").write_text(SKAFFOLD)
    name = "skaffold.yaml"
    assert read_stated(root) == (
        [
            StatedBuild(name, "web/Dockerfile", "web", image="registry.example.com/shop/web"),
            StatedBuild(
                name, "api/Dockerfile.dev", "api", image="worker", target="worker", args=(("MODE", "dev"),)
            ),
            StatedBuild(name, "web/Dockerfile", "web", image="second"),
        ],
        [],
    )  # fmt: skip


def write(root: Path, **files: str) -> list[StatedBuild]:
    """Write them (`__` stands for a dot, `_in_` for a slash), and read what they say."""
    for name, text in files.items():
        path = root / name.replace("_in_", "/").replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    builds, problems = read_stated(root)
    assert problems == []
    return builds


WEB = "services: {web: {build: {context: web, args: {A: 1, B: 2}}, image: shop/web, depends_on: [api]}}"


@pytest.mark.parametrize("name", ["compose__override__yaml", "docker-compose__override__yml"])
def test_an_override_is_laid_over_what_it_overrides(root: Path, name: str) -> None:
    over = "services: {web: {build: {target: dev, args: [B=3, C=4]}, depends_on: {db: {}}}, api: {build: api}}"
    (root / name.replace("__", ".")).write_text(over)
    assert write(root, compose__yaml=WEB) == [
        StatedBuild(
            "compose.yaml", "web/Dockerfile", "web", "web", "shop/web", "dev", (("A", "1"), ("B", "3"), ("C", "4")),
            ("api", "db"),
        ),
        StatedBuild("compose.yaml", "api/Dockerfile", "api", "api"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"),
        (
            *("compose.override.yml", "compose.override.yaml"),
            *("docker-compose.override.yml", "docker-compose.override.yaml"),
        ),
    ],
)
def test_of_several_files_the_one_that_compose_prefers_counts(root: Path, names: tuple[str, ...]) -> None:
    """https://github.com/compose-spec/compose-go/blob/main/cli/options.go"""
    if "compose.yaml" not in names:
        (root / "compose.yaml").write_text("services: {}")
    for name in reversed(names):
        (root / name).write_text(f"services: {{web: {{build: web, image: '{name}'}}}}")
        (found,), _ = read_stated(root)
        assert found.image == name


def test_an_override_may_only_say_what_is_built(root: Path) -> None:
    over = "services: {web: {build: web}}"
    (found,) = write(root, compose__yaml="services: {web: {image: r:5/web}}", compose__override__yaml=over)
    assert (found.context, found.image) == ("web", "r:5/web")


@pytest.mark.parametrize("name", ["docker-compose__dev__yml", "compose__local__yaml", "docker-compose-dev__yml"])
def test_a_file_for_development_adds_what_the_others_do_not_build(root: Path, name: str) -> None:
    more = "services: {web: {build: {context: api, target: x}}, api: {build: api}}"
    first, second = write(root, compose__yaml=WEB, **{name: more})
    assert (first.file, first.context) == ("compose.yaml", "web")
    assert (second.file, second.name) == (name.replace("__", "."), "api")


def test_other_files_are_read_only_where_there_is_no_choice(root: Path) -> None:
    build = "services: {sut: {build: {context: web, target: test}}}"
    assert write(root, compose__yaml="services: {}", docker_compose__test__yml="", compose__ci__yaml=build) == []
    (root / "compose.yaml").unlink()
    (found,) = write(root, compose__ci__yaml=build)
    assert found.target == "test"
    assert write(root, compose__ci__yaml=build, compose__prod__yaml=build) == []


def test_what_a_service_extends(root: Path) -> None:
    text = """
services:
  base: {build: {context: web, target: dev, args: {A: 1}}, image: shop/base, depends_on: [db]}
  worker: {extends: base, image: shop/worker, depends_on: [queue]}
  api: {extends: {file: api/common.yaml, service: app}, build: {target: local}}
  lost: {extends: {file: none.yaml, service: app}}
  circle: {extends: circle, build: web}
"""
    found = {each.name: each for each in write(root, compose__yaml=text, api_in_common__yaml=COMMON)}
    assert found["worker"] == StatedBuild(
        "compose.yaml", "web/Dockerfile", "web", "worker", "shop/worker", "dev", (("A", "1"),), ("queue",)
    )
    assert found["api"] == StatedBuild("compose.yaml", "api/Dockerfile.dev", "api", "api", "shop/api", "local")
    assert set(found) == {"base", "worker", "api", "circle"}


COMMON = "services: {app: {build: {dockerfile: Dockerfile.dev, target: app}, image: shop/api}}"


def test_what_a_file_includes_is_relative_to_its_own_folder(root: Path) -> None:
    main = "include: [api/common.yaml, {path: [web/compose.yaml]}, ../other.yaml]\nservices: {web: {image: mine}}"
    web = "include: ../compose.yaml\nservices: {web: {build: .}}"
    first, second = write(root, compose__yaml=main, api_in_common__yaml=COMMON, web_in_compose__yaml=web)
    assert (first.name, first.context, first.dockerfile) == ("app", "api", "api/Dockerfile.dev")
    assert (second.name, second.context, second.image) == ("web", "web", "mine")


def test_the_files_of_one_include_override_each_other(root: Path) -> None:
    main = "include: [{path: [web/compose.yaml, api/more.yaml]}]"
    web, more = "services: {web: {build: {target: dev}, image: a}}", "services: {web: {image: b, depends_on: [api]}}"
    assert write(root, compose__yaml=main, web_in_compose__yaml=web, api_in_more__yaml=more) == [
        StatedBuild("compose.yaml", "web/Dockerfile", "web", "web", "b", "dev", depends_on=("api",))
    ]


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ("{path: [web/compose.yaml, api/more.yaml]}", "web"),
        ("{path: [api/more.yaml, web/compose.yaml]}", "api"),
        ("{path: [web/compose.yaml, api/more.yaml], project_directory: api}", "api"),
        ("{path: web/compose.yaml, project_directory: ./api}", "api"),
        ("{path: more.yaml, project_directory: .}", "api"),
        ("{path: web/compose.yaml, project_directory: ''}", "web"),
        ("{path: web/compose.yaml, project_directory: $HERE}", None),
    ],
)
@pytest.mark.parametrize("build", ["{context: .}", "{args: {A: 1}}"])
def test_where_the_paths_of_an_include_start(root: Path, entry: str, context: str | None, build: str) -> None:
    web = f"services: {{web: {{build: {build}}}}}"
    more = f"services: {{web: {{image: x}}, api: {{build: {build}}}}}"
    (root / "more.yaml").write_text("include: [{path: web/compose.yaml, project_directory: api}]")
    found = write(root, compose__yaml=f"include: [{entry}]", web_in_compose__yaml=web, api_in_more__yaml=more)
    assert {each.context for each in found} == ({context} if context else set())


WEB_AFTER_API = "services: {web: {build: web, depends_on: [api]}}"
INCLUDES: dict[str, tuple[dict[str, str], list[str]]] = {
    "itself": ({"compose.yaml": f"include: {['compose.yaml'] * 10}\n{WEB_AFTER_API}"}, ["api"]),
    "each other": (
        {"compose.yaml": f"include: {['a.yaml'] * 10}\n{WEB_AFTER_API}", "a.yaml": f"include: {['compose.yaml'] * 10}"},
        ["api"],
    ),
    "no circle, and many ways": (
        {"compose.yaml": "include: 0.yaml", "20.yaml": WEB_AFTER_API}
        | {f"{n}.yaml": f"include: [{{path: {[f'{n + 1}.yaml'] * 10}}}]" for n in range(20)},
        ["api"],
    ),
    "more than anybody has": (
        {"compose.yaml": "include: 0.yaml", "1000.yaml": WEB_AFTER_API}
        | {f"{n}.yaml": f"include: {n + 1}.yaml" for n in range(1000)},
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INCLUDES)
def test_what_is_included_is_read_once(root: Path, name: str) -> None:
    """One that is read for each way there is never done."""
    files, expected = INCLUDES[name]
    for path, text in files.items():
        (root / path).write_text(text)
    builds, problems = read_stated(root)
    assert problems == []
    assert [after for build in builds for after in build.depends_on] == expected


def test_the_configurations_that_skaffold_requires(root: Path) -> None:
    main = "requires: [{path: web}, {path: api/part.yaml}, {path: .}, {git: {repo: x}}, {path: ../x}]"
    part = "build: {artifacts: [{image: a, context: ., docker: {dockerfile: Dockerfile.dev}}]}"
    own = "requires: [{path: ..}]\nbuild: {artifacts: [{image: w}]}"
    assert write(root, skaffold__yaml=main, api_in_part__yaml=part, web_in_skaffold__yaml=own) == [
        StatedBuild("web/skaffold.yaml", "web/Dockerfile", "web", image="w"),
        StatedBuild("api/part.yaml", "api/Dockerfile.dev", "api", image="a"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "services: 3",
        "services: {web: 3}",
        "services: {web: {build: [x]}}",
        "build: {artifacts: {}}",
        "include: 3",
        "include: [{path: {}}]",
        "services: {web: {extends: [x]}}",
        "services: {web: {depends_on: 3}}",
        "services: {web: {build: {args: 3}}}",
        "requires: 3",
        "requires: [3, {path: []}]",
    ],
)
def test_what_is_not_understood_is_passed_over(root: Path, text: str) -> None:
    (root / "compose.yaml").write_text(text)
    (root / "skaffold.yaml").write_text(text)
    assert read_stated(root) == ([], [])


def test_what_is_no_yaml_is_told(root: Path) -> None:
    (root / "compose.yaml").write_text("services:\n  web: [\n")
    builds, (problem,) = read_stated(root)
    assert builds == []
    assert problem.startswith("compose.yaml cannot be read (line ")


@pytest.mark.parametrize("value", ["2024-13-45", "!!bool x", '!!int ""', "!!timestamp x", r'"\UFFFFFFFF"'])
def test_what_no_value_can_be_made_of_is_told(root: Path, value: str) -> None:
    (root / "compose.yaml").write_text(f"services: {{web: {{build: web, labels: {{x: {value}}}}}}}")
    assert read_stated(root) == ([], ["compose.yaml cannot be read and is passed over"])


def test_what_cannot_be_a_path_is_told(root: Path) -> None:
    (root / "compose.yaml").write_text(r'{include: ["a\0b"], services: {web: {build: web}}}')
    builds, problems = read_stated(root)
    assert [each.name for each in builds] == ["web"]
    assert problems == ["a\0b cannot be read and is passed over"]
