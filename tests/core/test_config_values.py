"""The small languages inside values: what they accept, and what they say to the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core import values
from devloop.core.buildflags import check_caches, check_flags
from devloop.core.image import ImageRef
from devloop.core.values import InvalidValueError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30ms", 0.03), ("5m", 300.0), ("1m30s", 90.0), ("0.5s", 0.5), ("0s", 0.0), ("2h", 7200.0), ("1s500ms", 1.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "30 ms", "-1s", "1d", "s", "1s 2m", "1.s", "١s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is no duration; write a number and a unit"):
        values.parse_duration(text)


@given(st.floats(0, 1e6))
def test_a_written_duration_is_read_back(seconds: float) -> None:
    assert values.parse_duration(values.format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.03, "30ms"), (300.0, "5m"), (90.0, "90s"), (0.0, "0s"), (7200.0, "2h")]
)
def test_durations_are_written_shortly(seconds: float, text: str) -> None:
    assert values.format_duration(seconds) == text


@pytest.mark.parametrize("text", ["deployment/web", "deploy/web", "deployments/web", "Deployment/web"])
def test_workloads(text: str) -> None:
    assert values.parse_workload(text) == ("deployment", "web")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web", "`web` names no kind; write `deployment/web`"),
        ("", "`` names no kind; write `deployment/NAME`"),
        ("deploymnt/web", "not the kind `deploymnt`; did you mean `deployment`?"),
        ("statefulset/db", "devloop rolls out Deployments, not the kind `statefulset`; write `deployment/db`"),
        ("deployment/", "`` is no valid name"),
        ("deployment/Web_1", "`Web_1` is no valid name of a workload; use lower-case"),
        ("deployment/a/b", "`a/b` is no valid name"),
    ],
)
def test_no_workloads(text: str, message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        values.parse_workload(text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "localhost:5001/shop/web",
        "registry.example.com/web",
        "docker.io/acme/api",
        "h:5000/{user}/{service}",
        "[::1]:5000/x",
    ],
)
def test_images(text: str) -> None:
    assert values.check_image(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the image name is empty"),
        (
            "shop/api",
            "names no registry host, so it is not clear where to push it; write `HOST/shop/api`, or",
        ),
        ("api", "or `docker.io/api` if Docker Hub is meant"),
        ("https://h.io/x", "`https://h.io/x` begins with `https://`; write `h.io/x`"),
        ("h:5000/x:v1", "holds a tag; write `h:5000/x`, and `v1` as the service's `tag`"),
        ("h:5000/x@sha256:" + "0" * 64, "holds a digest, and a build makes a new one; write `h:5000/x`"),
        ("h:5000/X", "`h:5000/X` is no image name"),
        ("h:5000/{usr}", "holds `{usr}`, which devloop cannot fill in; write `{user}`, `{branch}` or `{service}`"),
    ],
)
def test_no_images(text: str, message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        values.check_image(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["", "dev", "dev-{user}", "{branch}", "V1.2_3-x"])
def test_tags(text: str) -> None:
    assert values.check_tag(text) == text


@pytest.mark.parametrize("text", ["-x", "a b", "a/b", "x" * 129, "{nobody}", "{"])
def test_no_tags(text: str) -> None:
    with pytest.raises(InvalidValueError):
        values.check_tag(text)


@pytest.mark.parametrize(
    ("image", "split"),
    [
        ("h:5000/x", ("h:5000/x", "")),
        ("h:5000/x:v1", ("h:5000/x", "v1")),
        ("h/x:dev-{user}", ("h/x", "dev-{user}")),
        ("x:v1", ("x", "v1")),
        ("h/x@sha256:00", ("h/x@sha256:00", "")),
    ],
)
def test_a_tag_is_split_off(image: str, split: tuple[str, str]) -> None:
    assert values.split_tag(image) == split


@pytest.mark.parametrize(
    ("value", "tag", "repository"),
    [
        ("feature/ABC-1", "feature-ABC-1", "feature-abc-1"),
        ("José Müller", "Jose-Muller", "jose-muller"),
        ("DOMAIN\\jo", "DOMAIN-jo", "domain-jo"),
        ("jo@example.com", "jo-example.com", "jo-example-com"),
        ("-.x.-", "x", "x"),
    ],
)
def test_filling_makes_names_fit(value: str, tag: str, repository: str) -> None:
    assert values.fill("a-{user}", {"user": value}) == f"a-{tag}"
    assert values.fill("a/{user}", {"user": value}, repository=True) == f"a/{repository}"


@given(st.text(min_size=1))
def test_whatever_is_filled_in_gives_a_valid_reference(value: str) -> None:
    tag = values.fill("{branch}", {"branch": value})
    name = values.fill("h:5000/{branch}/x", {"branch": value}, repository=True)
    assert ImageRef.parse(f"{name}:{tag}").tag == tag


def test_names_without_latin_letters_and_long_ones_stay_apart() -> None:
    def tag(value: str) -> str:
        return values.fill("{user}", {"user": value})

    assert tag("Жанна") != tag("Ольга")
    assert tag("x" * 200 + "1") != tag("x" * 200 + "2")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("team-*", "team-a", True),
        ("team-*", "a-team-a", False),
        ("arn:aws:eks:*:cluster/dev", "arn:aws:eks:eu-west-1:123:cluster/dev", True),
        ("*", "", True),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("?", "a", False),
        ("Dev", "dev", False),
        ("a*", "a/b\nc", True),
    ],
)
def test_only_the_star_is_special(pattern: str, text: str, fits: bool) -> None:
    assert values.matches(pattern, text) is fits


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--no-cache"],
        ["--pull", "--network=host"],
        ["--network", "host", "--label", "a=b c"],
        ["--build-context=base=./base"],
        ["-D", "--add-host", "db:10.0.0.1"],
        ["--label=note=written --push here"],
    ],
)
def test_flags_that_are_passed_on(flags: list[str]) -> None:
    check_flags(flags)


@pytest.mark.parametrize(
    "spec",
    [
        "registry.example.com/secret/token:cache",
        "type=registry,ref=registry.example.com/secret/token:cache",
        "type=local,dest=auth/key,mode=max,compression-level=3,ignore-error=true",
        "type=s3,region=eu,bucket=password,prefix=key/,use_path_style=true,manifests_prefix=m",
        "type=gha,scope=token",
    ],
)
def test_caches_that_are_passed_on(spec: str) -> None:
    check_caches([spec])


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("type=s3,bucket=b,secret_access_key=hunter2", "secret_access_key"),
        ("type=s3, session_token=hunter2 ,bucket=b", "session_token"),
        ("type=gha,token=hunter2", "token"),
        ('type=s3,"secret_access_key=hunter2,2"', "secret_access_key"),
        ("type=x,Password=hunter2", "Password"),
    ],
)
def test_a_credential_of_a_cache_is_refused_and_not_repeated(spec: str, name: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        check_caches(["type=inline", spec])
    assert str(raised.value).startswith(f"`{name}` would show a credential")
    assert "`AWS_SECRET_ACCESS_KEY`" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--push"], "`--push` belongs to devloop; remove it: devloop pushes what it builds"),
        (["--push=false"], "`--push` belongs to devloop"),
        (["--output", "type=local"], "`--output` belongs"),
        (["-o", "x"], "`--output` belongs"),
        (["-ox"], "`--output` belongs"),
        (["--load"], "`--load` belongs"),
        (["--check"], "`--check` belongs"),
        (["--progress=plain"], "devloop reads the build's report itself"),
        (["-q"], "`--quiet` belongs"),
        (["--metadata-file=x"], "`--metadata-file` belongs"),
        (["--iidfile", "x"], "`--iidfile` belongs"),
        (["-t", "x"], "`--tag` belongs to devloop; use the service's `image` and `tag`"),
        (["--tag=x"], "`--tag` belongs"),
        (["-Dt", "x"], "`--tag` belongs"),
        (["--platform=linux/arm64"], "use the key `build.platform`"),
        (["-f", "x"], "use the key `build.dockerfile`"),
        (["--file=x"], "use the key `build.dockerfile`"),
        (["--target", "x"], "use the key `build.target`"),
        (["--build-arg", "TOKEN=hunter2"], "use the key `build.args`"),
        (["--secret=id=x"], "use the key `build.secrets`"),
        (["--ssh=default"], "use the key `build.ssh`"),
        (["--builder=x"], "use the key `build.builder`"),
        (["--cache-from=x"], "use the key `build.cache_from`"),
        (["--cache-to=x"], "use the key `build.cache_to`"),
        (["--provenance=true"], "turns attestations off"),
        (["--sbom=true"], "turns attestations off"),
        (["--attest=type=sbom"], "turns attestations off"),
        (["--no-cache", "."], "one of the items is no flag"),
        (["hunter2"], "one of the items is no flag"),
        (["--network host"], "`--network` and its value are in one item"),
        (["--"], "`--` ends the flags"),
        (["--label", "--push"], "`--push` belongs"),
    ],
)
def test_flags_that_are_refused(flags: list[str], message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        check_flags(flags)
    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)
