"""The command line that builds a service, as a process gets it and as a person reads it."""

from pathlib import Path

from devloop.core.image import ImageRef
from devloop.core.plan import build_environment, buildx_argv, choose_builder, shell_line
from devloop.core.ports import BuildRequest
from devloop.core.service import BuildSpec

PLAIN = BuildSpec(context=Path("/src/api"), dockerfile=Path("/src/api/Dockerfile"))
FULL = BuildSpec(
    context=Path("/src/my api"),
    dockerfile=Path("/src/Dockerfile.dev"),
    target="dev",
    args=(("VERSION", "1.2"), ("NPM_TOKEN", "tok-1234"), ("DB", "pg://u:hunter22@db/x"), ("HTTP_PROXY", "http://p:1")),
    secrets=("id=npm,src=.npmrc",),
    ssh=("default",),
    builder="big",
    cache_from=("type=registry,ref=r/c",),
    cache_to=("type=inline",),
    flags=("--no-cache-filter=deps",),
)


def request(spec: BuildSpec, platform: str = "linux/amd64") -> BuildRequest:
    return BuildRequest(spec, ImageRef.parse("localhost:5001/shop/api:dev"), platform)


def test_a_plain_build() -> None:
    assert buildx_argv(request(PLAIN), "/tmp/m.json") == (
        "build",
        "--push",
        "--progress=rawjson",
        "--provenance=false",
        "--metadata-file=/tmp/m.json",
        *("--platform", "linux/amd64"),
        *("--file", "/src/api/Dockerfile"),
        *("--tag", "localhost:5001/shop/api:dev"),
        "/src/api",
    )


def test_every_option_is_passed() -> None:
    argv = " ".join(buildx_argv(request(FULL), "/tmp/m.json"))
    assert argv.endswith(
        "--file /src/Dockerfile.dev --target dev --build-arg VERSION --build-arg NPM_TOKEN --build-arg DB "
        "--build-arg HTTP_PROXY=http://p:1 --secret id=npm,src=.npmrc --ssh default --builder big "
        "--cache-from type=registry,ref=r/c --cache-to type=inline --no-cache-filter=deps "
        "--tag localhost:5001/shop/api:dev /src/my api"
    )


def test_no_platform_leaves_the_choice_to_the_builder() -> None:
    assert "--platform" not in buildx_argv(request(PLAIN, platform=""), "m")


def test_arguments_travel_in_the_environment_unless_they_would_change_how_buildx_works() -> None:
    assert build_environment(FULL) == {"VERSION": "1.2", "NPM_TOKEN": "tok-1234", "DB": "pg://u:hunter22@db/x"}


def test_a_secret_stays_off_the_command_line_even_under_a_name_of_the_builders() -> None:
    spec = BuildSpec(PLAIN.context, PLAIN.dockerfile, args=(("SSH_KEY", "k3y"), ("https_proxy", "http://u:pw@p:1")))
    argv = buildx_argv(request(spec), "m")
    assert "SSH_KEY" in argv
    assert "https_proxy" in argv
    assert build_environment(spec) == dict(spec.args)


def test_the_line_for_people_quotes_and_hides() -> None:
    line = shell_line(request(FULL))
    assert line.startswith("docker buildx build --push --provenance=false --platform linux/amd64 --file ")
    assert "--build-arg VERSION=1.2 --build-arg NPM_TOKEN=*** --build-arg DB=pg://u:***@db/x" in line
    assert line.endswith("--tag localhost:5001/shop/api:dev '/src/my api'")
    assert "tok-1234" not in line
    assert "hunter22" not in line


def test_the_choice_says_why() -> None:
    assert choose_builder(PLAIN).name == "buildx"
    assert "`big`" in choose_builder(FULL).reason


def test_the_credentials_of_a_cache_are_not_shown() -> None:
    build = BuildSpec(
        Path("/src"), Path("/src/Dockerfile"), cache_to=("type=s3,bucket=cache,secret_access_key=hunter2hunter2",)
    )
    line = shell_line(BuildRequest(build, ImageRef("registry.test", "web", "dev"), ""))
    assert "hunter2hunter2" not in line
    assert "bucket=cache,secret_access_key=***" in line
