"""Image references as the distribution project reads them, and the digests in what kubelets report.

Most references are cases of `reference_test.go` and `normalize_test.go` of github.com/distribution/reference.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.image import (
    ImageRef,
    InvalidReferenceError,
    PlatformManifest,
    PushedImage,
    ResolvedImage,
    digest_of,
    short,
)

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
SHA_512 = "sha512:" + "f" * 128


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("test_com", "", "test_com", "", ""),
        ("test.com:tag", "", "test.com", "tag", ""),
        ("test.com:5000", "", "test.com", "5000", ""),
        ("test.com/repo:tag", "test.com", "repo", "tag", ""),
        ("test:5000/repo", "test:5000", "repo", "", ""),
        ("test:5000/repo:tag", "test:5000", "repo", "tag", ""),
        (f"test:5000/repo@{A}", "test:5000", "repo", "", A),
        (f"test:5000/repo:tag@{A}", "test:5000", "repo", "tag", A),
        ("lowercase:Uppercase", "", "lowercase", "Uppercase", ""),
        ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux", "", ""),
        ("sub-dom1.foo.com/bar/baz/quux:some-long-tag", "sub-dom1.foo.com", "bar/baz/quux", "some-long-tag", ""),
        (
            "b.gcr.io/test.example.com/my-app:test.example.com",
            "b.gcr.io",
            "test.example.com/my-app",
            "test.example.com",
            "",
        ),
        (f"xn--7o8h.com/myimage:xn--7o8h.com@{SHA_512}", "xn--7o8h.com", "myimage", "xn--7o8h.com", SHA_512),
        ("foo_bar.com:8080", "", "foo_bar.com", "8080", ""),
        ("foo/foo_bar.com:8080", "", "foo/foo_bar.com", "8080", ""),
        ("192.168.1.1", "", "192.168.1.1", "", ""),
        ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", ""),
        ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", "", ""),
        ("[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]", "repo", "tag", ""),
        (f"[2001:db8::1]:5000/repo@{A}", "[2001:db8::1]:5000", "repo", "", A),
        ("[::1]:5000/repo", "[::1]:5000", "repo", "", ""),
        ("docker/docker", "", "docker/docker", "", ""),
        ("debian", "", "debian", "", ""),
        ("localhost/library/debian", "localhost", "library/debian", "", ""),
        ("LOCALDOMAIN/debian", "LOCALDOMAIN", "debian", "", ""),
        ("docker.io/library/debian", "docker.io", "library/debian", "", ""),
        ("foo__bar/a--b", "", "foo__bar/a--b", "", ""),
        ("localhost:5001/shop/api:dev", "localhost:5001", "shop/api", "dev", ""),
    ],
)
def test_what_a_reference_says(text: str, registry: str, repository: str, tag: str, digest: str) -> None:
    ref = ImageRef.parse(text)
    assert ref == ImageRef(registry, repository, tag, digest)
    assert str(ref) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no image name"),
        (":justtag", "is no image name"),
        (f"@{A}", "is no image name"),
        ("repo@", "no valid digest"),
        ("repo@sha256:abcdef", "no valid digest"),
        ("repo@" + "f" * 64, "no valid digest"),
        ("repo:", "no valid tag"),
        ("repo:.hidden", "no valid tag"),
        ("repo:-x", "no valid tag"),
        ("repo:" + "a" * 129, "no valid tag"),
        ("repo:größe", "no valid tag"),
        ("Uppercase:tag", "is no image name"),
        ("docker/Docker", "is no image name"),
        ("test:5000/Uppercase/lowercase:tag", "is no image name"),
        ("aa/asdf$$^/aa", "is no image name"),
        ("docker///docker", "is no image name"),
        ("docker.io/docker///docker", "is no image name"),
        ("docker.io/", "is no image name"),
        ("-docker", "is no image name"),
        ("docker-", "is no image name"),
        ("foo..bar", "is no image name"),
        ("foo___bar", "is no image name"),
        ("foo._bar", "is no image name"),
        ("repo name", "is no image name"),
        ("-docker.io/docker/docker", "no valid registry host"),
        ("docker..io/docker", "no valid registry host"),
        ("https://github.com/docker/docker", "no valid registry host"),
        ("fc00::1:5000/debian", "no valid registry host"),
        ("[fe80::1%eth0]:5000/debian", "no valid registry host"),
        ("[2001:db8:3:4::192.0.2.33]:5000/debian", "no valid registry host"),
        ("[2001:db8::1]", "no valid tag"),
        ("[2001:db8::1]:5000", "is no image name"),
    ],
)
def test_what_is_no_reference_says_why(text: str, words: str) -> None:
    with pytest.raises(InvalidReferenceError, match=words) as raised:
        ImageRef.parse(text)
    assert f"`{text}`" in str(raised.value)


COMPONENT = st.from_regex(r"\A[a-z0-9]{1,4}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}\Z")
REGISTRY = st.sampled_from(["", "localhost", "localhost:5001", "ghcr.io", "[::1]:5000", "HOST"])
TAG = st.one_of(st.just(""), st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\Z"))
REFS = st.builds(
    ImageRef,
    REGISTRY,
    st.lists(COMPONENT, min_size=1, max_size=3).map("/".join),
    TAG,
    st.sampled_from(["", A, SHA_512]),
)


@given(REFS)
def test_a_reference_is_read_as_it_was_written(ref: ImageRef) -> None:
    # A first part that looks like a host is one: `a.b/c` names the registry `a.b`.
    first, slash, _ = ref.repository.partition("/")
    if ref.registry or not slash or not ("." in first or first == "localhost"):
        assert ImageRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("debian", "docker.io/library/debian"),
        ("docker/docker", "docker.io/docker/docker"),
        ("docker.io/debian", "docker.io/library/debian"),
        ("index.docker.io/debian", "docker.io/library/debian"),
        ("index.docker.io/docker/docker", "docker.io/docker/docker"),
        ("localhost/debian", "localhost/debian"),
        ("127.0.0.1:5000/debian", "127.0.0.1:5000/debian"),
    ],
)
def test_docker_hub_is_filled_in(text: str, canonical: str) -> None:
    assert ImageRef.parse(text).canonical_name == canonical


@pytest.mark.parametrize(
    ("first", "second", "repository", "image"),
    [
        ("python", "docker.io/library/python:latest", True, True),
        ("python:3", "index.docker.io/library/python:3", True, True),
        ("python:3", "python:4", True, False),
        (f"python@{A}", f"docker.io/python@{A}", True, True),
        (f"python@{A}", f"python@{B}", True, False),
        (f"python:3@{A}", f"python@{A}", True, False),
        (f"python:3@{A}", "python:3", True, False),
        ("localhost:5001/web", "registry:5000/web", False, False),
        ("ghcr.io/shop/web:dev", "ghcr.io/shop/web-api:dev", False, False),
    ],
)
def test_what_means_the_same(first: str, second: str, repository: bool, image: bool) -> None:
    one, other = ImageRef.parse(first), ImageRef.parse(second)
    assert (one.same_repository(other), one.same_image(other)) == (repository, image)
    assert (other.same_repository(one), other.same_image(one)) == (repository, image)


def test_the_tag_that_kubernetes_asks_for() -> None:
    assert ImageRef.parse("web").effective_tag == "latest"
    assert ImageRef.parse("web:dev").effective_tag == "dev"
    assert ImageRef.parse(f"web@{A}").effective_tag == ""


def test_another_tag_forgets_the_digest_and_another_digest_keeps_the_tag() -> None:
    ref = ImageRef.parse(f"ghcr.io/shop/web:v1@{A}")
    assert str(ref.with_tag("dev")) == "ghcr.io/shop/web:dev"
    assert str(ref.with_digest(B)) == f"ghcr.io/shop/web:v1@{B}"
    assert ref.name == "ghcr.io/shop/web"


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"127.0.0.1:5000/shop/web@{A}", A),
        (f"docker-pullable://127.0.0.1:5000/shop/web@{A}", A),
        (f"docker.io/library/import-2026-01-02@{A}", A),
        (A, A),
        (f"docker://{A}", A),
        (f"ghcr.io/shop/web@{SHA_512}", SHA_512),
        ("", ""),
        ("127.0.0.1:5000/shop/web:dev", ""),
        ("sha256:abc", ""),
    ],
)
def test_the_digest_in_what_a_kubelet_reports(image_id: str, digest: str) -> None:
    assert digest_of(image_id) == digest


@pytest.mark.parametrize(
    ("digest", "words"), [("sha256:4f2a9c1b03de5566", "4f2a9c1b03de"), ("4f2a9c1b03de5566", "4f2a9c1b03de"), ("", "")]
)
def test_a_digest_for_people(digest: str, words: str) -> None:
    assert short(digest) == words


def test_an_image_goes_by_the_digests_of_its_index_its_manifests_and_their_configs() -> None:
    manifests = (PlatformManifest("linux/amd64", B, C), PlatformManifest("", "", ""))
    image = ResolvedImage(A, manifests)
    assert image.digests == {A, B, C}
    assert image.configs == {C}
    assert image.platforms == ("linux/amd64",)
    ref = ImageRef.parse("ghcr.io/shop/web:dev")
    assert PushedImage(ref, ref, image).digest == A
