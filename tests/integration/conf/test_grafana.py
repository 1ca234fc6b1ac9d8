"""The Grafana dashboard of conf/ asks for metrics that the listener exports."""

import json
import re
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from esl_listener.metrics import Backlog, Metrics, MetricsCollector
from tests.paths import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "conf" / "grafana" / "tollbook.json").read_text())


def exported() -> set[str]:
    """The names that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(Metrics(), lambda: Backlog(legs=0, spool_bytes=0, spool_full=False)))
    return set(re.findall(r"^(tollbook_\w+?)(?:\{.*\})? ", generate_latest(registry).decode(), re.MULTILINE))


def named() -> set[str]:
    """The names in the panels' expressions, and in the query of a variable."""
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    asked += [variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    return {name for text in asked for name in re.findall(r"tollbook_\w+", text)}


def test_every_metric_of_the_dashboard_is_one_that_the_listener_exports() -> None:
    assert named()
    assert named() - exported() == set()


def test_panels_lie_beside_each_other_and_say_what_they_mean() -> None:
    """No two on one place, each with an id of its own and words on what to make of it."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & place
        assert at["x"] + at["w"] <= 24
        assert panel["description"].endswith(".")
        taken |= place
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
