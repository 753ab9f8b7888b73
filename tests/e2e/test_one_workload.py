"""Several services on containers of one workload: named by the workload all are meant, and each is told of its own."""

import pytest

from tests.e2e.harness import save
from tests.e2e.shop import Shop, lines_of_json

pytestmark = [pytest.mark.shared, pytest.mark.timeout(90)]


def test_a_workload_is_asked_about_with_all_services_that_run_on_it(shop: Shop) -> None:
    names = ("left", "right")
    for name in names:
        shop.source(name, message=name)
    shop.deploy("pair", *(shop.container(name) for name in names))
    lines = ('workload = "deployment/pair"', 'pin = "tag"')
    shop.configure(*(shop.service(name, *lines, f'container = "{name}"') for name in names))
    code, out, err = shop.devloop("plan", "deployment/pair", "-o", "json")
    assert (code, [each["service"] for each in lines_of_json(out)]) == (0, [*names]), out + err
    assert ": 2 services, left, right" in shop.devloop("doctor", "deployment/pair")[1]
    with shop.start("deployment/pair") as devloop:
        for _ in names:
            devloop.wait_for("cycle_finished", outcome="verified")
        code, out, err = shop.devloop("why", "deployment/pair")
        assert code == 0, out + err
        for name in names:
            assert f"deployment/pair (service {name}) in namespace {shop.namespace}" in out
            assert f"the newest image runs: container {name} reports what the registry has" in out
        code, out, err = shop.devloop("why", "--slow", "deployment/pair", "-o", "json")
        assert (code, len(lines_of_json(out))) == (0, 1), out + err
        recipe = shop.folder / "right" / "Dockerfile"
        save(recipe, f"{recipe.read_text()}COPY nothing.py /\n")
        devloop.wait_for("cycle_finished", outcome="failed")
        save(shop.folder / "left" / "message.txt", "newer")
        devloop.wait_for("cycle_finished", outcome="verified")
        code, out, err = shop.devloop("why", "deployment/pair", "-o", "json")
        left, right = lines_of_json(out)
        assert (code, left["service"], left["exit_code"], right["exit_code"]) == (6, "left", 0, 6), out + err
        assert left["chain"][0]["text"] == "message.txt is the newest save, of"
        assert (right["chain"][0]["text"], right["chain"][0]["holds"]) == (
            "Dockerfile is the newest save, of",
            "broken",
        )
        assert (right["causes"][0]["code"], left["causes"]) == ("cycle-failed", [])
        rows = shop.devloop("why", "--all")[1].splitlines()
        assert [row.split("  ")[0] for row in rows] == ["deployment/pair (right)", "deployment/pair (left)"]
        assert shop.devloop("why", "--all", "-n", shop.namespace)[1].splitlines() == rows
        shop.source("left", says="exit 3")
        devloop.wait_for("cycle_finished", outcome="failed")
        code, out, err = shop.devloop("why", "right", "-o", "json")
        (right,) = lines_of_json(out)
        assert right["chain"][0]["text"] == "Dockerfile is the newest save, of"
        first, second = right["causes"]
        assert (code, first["code"], second["code"]) == (6, "cycle-failed", "rollout-stuck"), out + err
        assert "nothing.py" in first["message"], "its own, and what holds up the rollout of both"
        assert devloop.stop() == 130
