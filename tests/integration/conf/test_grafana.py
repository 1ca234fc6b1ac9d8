"""The Grafana dashboard of conf/: a panel for everything, none on top of another. Its metrics: test_metrics.py."""

import json
from typing import Any

from tests.paths import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "conf" / "grafana" / "tollbook.json").read_text())


def test_panels_lie_beside_each_other_and_say_what_they_mean() -> None:
    """No two on one place, each with an id of its own and words on what to make of it."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & place
        assert at["x"] + at["w"] <= 24
        assert panel["type"] == "row" or panel["description"].endswith(".")
        taken |= place
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_there_is_a_row_for_each_process_and_what_they_share() -> None:
    rows = [panel["title"].partition(":")[0] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Listener", "API", "Archive and tasks", "Events out", "Database", "Processes"]
