"""A namespace that is not there: every command says that, and of nothing in it that it is well or missing."""

import pytest

from tests.e2e.harness import run
from tests.e2e.shop import Shop

pytestmark = [pytest.mark.shared, pytest.mark.timeout(90)]


@pytest.fixture
def nowhere(shop: Shop) -> str:
    """Two services, and a mistyped namespace."""
    for name in ("api", "web"):
        shop.source(name)
    shop.configure(shop.service("api"), shop.service("web"))
    return f"{shop.namespace}-nope"


@pytest.mark.parametrize(
    "words",
    [
        ("restore", "--all"),
        ("restore", "web"),
        ("restore", "deployment/web"),
        ("plan", "web"),
        ("why", "api", "web"),
        ("why", "--all"),
        ("why", "--slow", "web"),
        ("up", "web", "--once"),
    ],
    ids=" ".join,
)
def test_it_is_told_once_and_nothing_beside_it(words: tuple[str, ...], shop: Shop, nowhere: str) -> None:
    code, out, err = shop.devloop(*words, "-n", nowhere)
    said = " ".join((out + err).split())
    assert code == 3, said
    assert said.count(f"there is no namespace `{nowhere}` in the cluster of context ") == 1, said
    assert "correct -n, or `namespace` in devloop.toml" in said
    assert "does not exist" not in said
    assert "get deployments" not in said, "nothing is to be seen there"


def test_without_a_file(shop: Shop, nowhere: str) -> None:
    (shop.folder / "devloop.toml").unlink()
    context = shop.elsewhere()[:2]
    for words in (("restore", "--all"), ("up", "--once"), ("why", "web")):
        done = run(shop.folder / "web", *words, *context, "-n", nowhere)
        said = done.stdout + done.stderr
        assert (done.returncode, f"there is no namespace `{nowhere}`" in said) == (3, True), said


def test_doctor_says_nothing_of_the_workloads_there(shop: Shop, nowhere: str) -> None:
    code, out, _ = shop.devloop("doctor", "-n", nowhere)
    assert code == 3
    assert out.count(f"there is no namespace {nowhere} in this cluster") == 1
    assert "deployment/" not in out
