"""What the real processes report: each metric is described, and no document, alert or panel names another one."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from tests.acceptance.metrics import Metrics
from tests.api_server import ApiServer, serving
from tests.commands import Start, Tollbook, free_port
from tests.paths import ROOT
from tests.waiting import wait_until
from tollbook.simulator.thread import SwitchThread

# The parts of a histogram, which PromQL asks for by name.
_PARTS = re.compile(r"_(bucket|sum|count)$")


def scraped(bind: str) -> str:
    with urlopen(f"http://{bind}/metrics", timeout=20) as answer:
        return answer.read().decode()


def names_in(scrape: str) -> set[str]:
    """The metrics of which there is a value."""
    return {_PARTS.sub("", name) for name in re.findall(r"^(\w+)(?:\{[^\n]*\})? ", scrape, re.MULTILINE)}


def named_in(text: str) -> set[str]:
    return {_PARTS.sub("", name) for name in re.findall(r"\b(?:tollbook|process)_[a-z_]+", text)}


def value(scrape: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", scrape, re.MULTILINE)
    assert found, f"{sample} is not in {scrape}"
    return float(found[1])


@pytest.fixture
def api_metrics() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def api(database_url: str, tmp_path: Path, api_metrics: str) -> Iterator[ApiServer]:
    with serving(database_url, tmp_path / "data" / "serve.log", api_metrics_bind=api_metrics, rate_limit="3") as server:
        yield server


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_every_metric_is_described_and_every_name_is_a_metric(
    data_dir: Path, start: Start, tollbook: Tollbook, metrics: Metrics, api: ApiServer, api_metrics: str
) -> None:
    """The names in a scrape of both processes are those of docs/metrics.md; alerts and dashboard name no other."""
    with SwitchThread(heartbeat_s=0.2) as switch:
        listener = start("listen", esl=switch.url, metrics_bind=metrics.bind)
        switch.wait_for_subscriber(20)
        metrics.wait_until("events_total", lambda _: True)
        listener.wait_for("listening")
        assert tollbook("archive", "run").returncode == 0
        assert api.get("/v1/nothing")[0].status == 404
        heard = wait_for_lag(metrics.bind)
        listener.end()
        listener = start("listen", "--workers=2", esl=f"{switch.url},{switch.url}", metrics_bind=metrics.bind)
        wait_until(lambda: listener.output.count("ready") == 2, 60)
        exported = names_in(heard) | names_in(scraped(metrics.bind)) | names_in(scraped(api_metrics))
        listener.end()
    documented = named_in((ROOT / "docs" / "metrics.md").read_text())
    assert documented - exported == set(), "described, and in no scrape"
    assert exported - documented - {"python_info"} == set(), "in a scrape, and not described"
    for line in heard.splitlines():
        assert not line.startswith("# HELP") or len(line.split(" ", 3)[3]) > 5
    conf = ROOT / "conf"
    dashboard = json.loads((conf / "grafana" / "tollbook.json").read_text())
    asked = "".join(target["expr"] + "\n" for panel in dashboard["panels"] for target in panel.get("targets", ()))
    asked += "".join(variable["query"]["query"] for variable in dashboard["templating"]["list"][1:])
    for text in (asked, (conf / "prometheus" / "alerts.yml").read_text()):
        assert named_in(text)
        assert named_in(text) - exported == set()


def wait_for_lag(bind: str) -> str:
    """Scrape until a heartbeat was heard."""
    for _ in range(300):
        scrape = scraped(bind)
        if "tollbook_switch_lag_seconds{" in scrape:
            return scrape
        time.sleep(0.1)
    raise AssertionError(scrape)


def test_the_api_counts_what_it_did_and_why_it_refused(
    data_dir: Path, tollbook: Tollbook, api: ApiServer, api_metrics: str
) -> None:
    """By route and class of status; a path that leads nowhere and bytes that are no request have no label of theirs."""
    assert tollbook("account", "add", "acme").returncode == 0
    key = tollbook("key", "create", "--account", "acme").stdout.strip()
    statuses = [api.get("/v1/calls", key)[0].status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert api.get("/v1/calls")[0].status == 401
    for number in range(3):
        assert api.get(f"/v1/nothing/{number}")[0].status == 404
    scrape = scraped(api_metrics)
    calls = 'tollbook_http_requests_total{{route="/v1/calls",status="{}"}}'
    assert value(scrape, calls.format("2xx")) == 3
    assert value(scrape, calls.format("4xx")) == 3
    assert value(scrape, 'tollbook_http_requests_total{route="none",status="4xx"}') == 3
    assert value(scrape, 'tollbook_http_errors_total{code="too_many_requests"}') == 2
    assert value(scrape, 'tollbook_http_errors_total{code="not_found"}') == 3
    assert value(scrape, 'tollbook_http_request_seconds_count{route="/v1/calls"}') == 6
    assert value(scrape, 'tollbook_pool_uses_total{pool="pages"}') >= 3
    assert api.get("/metrics", key)[0].status == 404  # they are on an address of their own
    assert "acme" not in scrape
    assert key[:8] not in scrape


def test_the_tasks_that_ended_are_reported(
    data_dir: Path, database_url: str, tollbook: Tollbook, tmp_path: Path
) -> None:
    """When each last ran and how it ended, also after one that failed, and after one that was killed half-way."""
    bind = f"127.0.0.1:{free_port()}"
    assert tollbook("archive", "run").returncode == 0
    failed = tollbook("recover", str(tmp_path / "no-such-folder"))
    assert failed.returncode != 0
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO task_run (task, begun_at, runs) VALUES ('prune', now(), 1)")
    with serving(database_url, data_dir / "serve.log", api_metrics_bind=bind):
        scrape = scraped(bind)
    assert value(scrape, "tollbook_database_up") == 1
    assert value(scrape, "tollbook_database_facts_failed") == 0
    assert value(scrape, 'tollbook_task_exit_code{task="archive"}') == 0
    assert time.time() - value(scrape, 'tollbook_task_succeeded_timestamp_seconds{task="archive"}') < 120
    assert value(scrape, 'tollbook_task_exit_code{task="recover"}') == failed.returncode
    assert value(scrape, 'tollbook_task_failures_total{task="recover"}') == 1
    assert value(scrape, 'tollbook_task_runs_total{task="prune"}') == 1
    assert value(scrape, 'tollbook_task_runs_total{task="compact"}') == 0
    assert 'tollbook_task_ended_timestamp_seconds{task="prune"}' not in scrape


def test_an_address_that_is_taken_is_one_clear_error(
    data_dir: Path, start: Start, api: ApiServer, api_metrics: str
) -> None:
    second = start("serve", api_bind=f"127.0.0.1:{free_port()}", api_metrics_bind=api_metrics)
    assert second.process.wait(60) == 78
    assert f"TOLLBOOK_API_METRICS_BIND={api_metrics}: Address already in use" in second.output
