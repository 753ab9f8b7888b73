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


@pytest.mark.parametrize(
    "text", ["", "[]", "services: 3", "services: {web: 3}", "services: {web: {build: [x]}}", "build: {artifacts: {}}"]
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
