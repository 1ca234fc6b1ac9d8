"""The alerts of conf/: Prometheus takes them; each fires when it must, is silent when it must be, and is explained."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.test_docs import anchors
from tests.paths import ROOT

CONF = ROOT / "conf" / "prometheus"
RULES = CONF / "alerts.yml"
ALERTS: list[str] = re.findall(r"^ +- alert: (\w+)$", RULES.read_text(), re.MULTILINE)

Series = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What Prometheus has read, a value a minute (or `every`), when the alert fires at the time `at`, and when not."""

    fires: Series
    silent: Series
    at: str = "10m"
    every: str = "1m"


LISTENER, API = 'job="tollbook-listener",instance="l"', 'job="tollbook-api",instance="a"'
SWITCH = f'{LISTENER},switch="fs:8021"'
DAY_S = 86_400


def in_task(name: str) -> str:
    return f'{API},task="{name}"'


CASES = {
    "TollbookListenerDown": Case(
        fires={f"up{{{LISTENER}}}": "1 1 0x20"},
        silent={f"up{{{LISTENER}}}": "1x9 0 1x9", f"up{{{API}}}": "0x20"},
    ),
    "TollbookListenerRestarts": Case(
        fires={f"process_start_time_seconds{{{LISTENER}}}": "100 200 300 400 400x20"},
        silent={f"process_start_time_seconds{{{LISTENER}}}": "100 100 200 200 200x20"},
    ),
    "TollbookWorkerRestarts": Case(
        fires={f'tollbook_worker_starts_total{{{LISTENER},worker="worker-2"}}': "1 2 3 4 4x20"},
        silent={f'tollbook_worker_starts_total{{{LISTENER},worker="worker-2"}}': "1 1 2 3 3x20"},
    ),
    "TollbookSwitchAway": Case(
        fires={f"tollbook_switch_connected{{{SWITCH}}}": "1 0x20"},
        silent={f"tollbook_switch_connected{{{SWITCH}}}": "1x8 0 1x9"},
    ),
    "TollbookSwitchLag": Case(
        fires={f"tollbook_switch_lag_seconds{{{SWITCH}}}": "-11x20"},
        silent={f"tollbook_switch_lag_seconds{{{SWITCH}}}": "9x20"},
    ),
    "TollbookDatabaseAway": Case(
        fires={f"tollbook_database_silent_seconds{{{LISTENER}}}": "0+7x20"},
        silent={f"tollbook_database_silent_seconds{{{LISTENER}}}": "30x20"},
    ),
    "TollbookSpoolFilling": Case(
        fires={f"tollbook_spool_bytes{{{LISTENER}}}": "60x20", f"tollbook_spool_max_bytes{{{LISTENER}}}": "100x20"},
        silent={f"tollbook_spool_bytes{{{LISTENER}}}": "40x20", f"tollbook_spool_max_bytes{{{LISTENER}}}": "100x20"},
    ),
    "TollbookSpoolFull": Case(
        fires={f"tollbook_spool_full{{{LISTENER}}}": "0x9 1x9"},
        silent={f"tollbook_spool_full{{{LISTENER}}}": "1x9 0x9"},
    ),
    "TollbookDeadLetters": Case(
        fires={f"tollbook_dead_letters{{{LISTENER}}}": "3x20"},
        silent={f"tollbook_dead_letters{{{LISTENER}}}": "0x20"},
    ),
    "TollbookUnrated": Case(
        at="60m",
        fires={
            f"tollbook_rows_unrated_total{{{LISTENER}}}": "0+1x60",
            f"tollbook_rows_written_total{{{LISTENER}}}": "0+30x60",
        },
        silent={
            f"tollbook_rows_unrated_total{{{LISTENER}}}": "0+1x60",
            f"tollbook_rows_written_total{{{LISTENER}}}": "0+70x60",
        },
    ),
    "TollbookInDoubt": Case(
        at="20m",
        fires={f"tollbook_rows_in_doubt_total{{{LISTENER}}}": "0x5 1x20"},
        silent={f"tollbook_rows_in_doubt_total{{{LISTENER}}}": "7x30"},
    ),
    "TollbookSessionsUnheard": Case(
        at="20m",
        fires={f"tollbook_sessions_unheard_total{{{LISTENER}}}": "0+2x20"},
        silent={f"tollbook_sessions_unheard_total{{{LISTENER}}}": "0 1 2 2x20"},
    ),
    "TollbookRecoverAfterConnectFails": Case(
        at="30m",
        fires={f"tollbook_recoveries_failed_total{{{LISTENER}}}": "0x9 1x5 2x5 3x5 4x5 5x9"},
        silent={f"tollbook_recoveries_failed_total{{{LISTENER}}}": "0x9 1x40"},
    ),
    "TollbookTariffsOld": Case(
        fires={f"tollbook_tariff_loads_failed_total{{{LISTENER}}}": "0+30x20"},
        silent={f"tollbook_tariff_loads_failed_total{{{LISTENER}}}": "0 0 1x20"},
    ),
    "TollbookApiDown": Case(
        fires={f"up{{{API}}}": "1 1 0x20"},
        silent={f"up{{{API}}}": "1x20", f"up{{{LISTENER}}}": "0x20"},
    ),
    "TollbookApiErrors": Case(
        at="20m",
        fires={
            f'tollbook_http_requests_total{{{API},route="/v1/calls",status="2xx"}}': "0+90x20",
            f'tollbook_http_requests_total{{{API},route="/v1/calls",status="5xx"}}': "0+10x20",
        },
        silent={
            f'tollbook_http_requests_total{{{API},route="/v1/calls",status="2xx"}}': "0+900x20",
            f'tollbook_http_requests_total{{{API},route="/v1/stats",status="5xx"}}': "0+10x20",
            f'tollbook_http_requests_total{{{API},route="/v1/calls",status="4xx"}}': "0+900x20",
        },
    ),
    "TollbookApiSlow": Case(
        at="30m",
        fires={
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/calls",le="2.0"}}': "0+8x40",
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/calls",le="5.0"}}': "0+10x40",
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/calls",le="+Inf"}}': "0+10x40",
        },
        silent={
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/calls",le="2.0"}}': "0+95x40",
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/calls",le="5.0"}}': "0+100x40",
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/calls",le="+Inf"}}': "0+100x40",
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/stats",le="2.0"}}': "0+1x40",
            f'tollbook_http_request_seconds_bucket{{{API},route="/v1/stats",le="+Inf"}}': "0+9x40",
        },
    ),
    "TollbookApiThreadsBusy": Case(
        fires={f"tollbook_http_requests_waiting{{{API}}}": "0 5x20"},
        silent={f"tollbook_http_requests_waiting{{{API}}}": "0x8 5 0x9"},
    ),
    "TollbookApiRefuses": Case(
        at="30m",
        fires={f'tollbook_http_errors_total{{{API},code="too_many_at_once"}}': "0+60x40"},
        silent={
            f'tollbook_http_errors_total{{{API},code="too_many_requests"}}': "0+10x40",
            f'tollbook_http_errors_total{{{API},code="not_found"}}': "0+600x40",
        },
    ),
    "TollbookApiDatabaseAway": Case(
        fires={f"tollbook_database_up{{{API}}}": "1 0x20"},
        silent={f"tollbook_database_up{{{API}}}": "1x9 0 1x9"},
    ),
    "TollbookPartitionsMissing": Case(
        at="20m",
        fires={f"tollbook_partition_days_ahead{{{API}}}": "1x30"},
        silent={f"tollbook_partition_days_ahead{{{API}}}": "2x30"},
    ),
    "TollbookWindowOld": Case(
        at="28h",
        every="1h",
        fires={
            f"tollbook_oldest_day_timestamp_seconds{{{API}}}": f"{-34 * DAY_S}x40",
            f"tollbook_retention_days{{{API}}}": "30x40",
        },
        silent={
            f"tollbook_oldest_day_timestamp_seconds{{{API}}}": f"{-90 * DAY_S}x20 {-30 * DAY_S}x20",
            f"tollbook_retention_days{{{API}}}": "30x40",
        },
    ),
    "TollbookOutboxOld": Case(
        at="20m",
        fires={f"tollbook_outbox_oldest_seconds{{{API}}}": f"{27 * 3600}x30"},
        silent={f"tollbook_outbox_oldest_seconds{{{API}}}": f"{25 * 3600}x30"},
    ),
    "TollbookDeliverDown": Case(
        fires={
            f"tollbook_deliver_processes{{{API}}}": "1 0x20",
            f'tollbook_endpoints{{{API},state="working"}}': "2x20",
        },
        silent={
            f"tollbook_deliver_processes{{{API}}}": "0x20",
            f'tollbook_endpoints{{{API},state="working"}}': "0x20",
            f'tollbook_endpoints{{{API},state="off"}}': "2x20",
        },
    ),
    "TollbookDeliveriesLate": Case(
        fires={f"tollbook_delivery_late_seconds{{{API}}}": "61x20"},
        silent={f"tollbook_delivery_late_seconds{{{API}}}": "900x3 59x20"},
    ),
    "TollbookEndpointSwitchedOff": Case(
        at="100m",
        fires={f'tollbook_endpoints{{{API},state="off"}}': "1x60 2x60"},
        silent={
            f'tollbook_endpoints{{{API},state="off"}}': "2x120",
            f'tollbook_endpoints{{{API},state="failing"}}': "0x60 2x60",
        },
    ),
    "TollbookDeliveriesGivenUp": Case(
        at="80m",
        fires={f'tollbook_deliveries_total{{{API},outcome="given_up"}}': "0x60 3x60"},
        silent={
            f'tollbook_deliveries_total{{{API},outcome="given_up"}}': "5x120",
            f'tollbook_deliveries_total{{{API},outcome="failed"}}': "0+5x120",
        },
    ),
    "TollbookSumsWait": Case(
        at="15m",
        fires={f"tollbook_sum_changes_waiting{{{API}}}": "200000x20"},
        silent={f"tollbook_sum_changes_waiting{{{API}}}": "199999x20"},
    ),
    "TollbookSumsUnbuilt": Case(
        at="7h",
        every="1h",
        fires={f"tollbook_sum_days_unbuilt{{{API}}}": "3x9"},
        silent={f"tollbook_sum_days_unbuilt{{{API}}}": "9 6 3 1 0x9"},
    ),
    "TollbookCallsStayOpen": Case(
        at="90m",
        fires={f"tollbook_calls_open_a_day{{{API}}}": "2x99"},
        silent={f"tollbook_calls_open_a_day{{{API}}}": "0x99"},
    ),
    "TollbookStatementsMissing": Case(
        at="90m",
        fires={f"tollbook_statements_missing{{{API}}}": "2x99"},
        silent={f"tollbook_statements_missing{{{API}}}": "0x99"},
    ),
    "TollbookTaskFails": Case(
        at="30m",
        fires={f"tollbook_task_exit_code{{{in_task('prune')}}}": "0 75x40"},
        silent={f"tollbook_task_exit_code{{{in_task('archive')}}}": "75x9 0x40"},
    ),
    "TollbookArchiveLate": Case(
        at="90m",
        fires={f"tollbook_task_succeeded_timestamp_seconds{{{in_task('archive')}}}": "0x99"},
        silent={
            f"tollbook_task_succeeded_timestamp_seconds{{{in_task('archive')}}}": "0+60x99",
            f"tollbook_task_succeeded_timestamp_seconds{{{in_task('prune')}}}": "0x99",
        },
    ),
    "TollbookNightlyTaskLate": Case(
        at="38h",
        every="1h",
        fires={f"tollbook_task_succeeded_timestamp_seconds{{{in_task('compact')}}}": "0x40"},
        silent={
            f"tollbook_task_succeeded_timestamp_seconds{{{in_task('compact')}}}": f"0x24 {DAY_S}x40",
            f"tollbook_task_succeeded_timestamp_seconds{{{in_task('verify')}}}": "0x40",
        },
    ),
    "TollbookRecoverLate": Case(
        at="8d",
        every="1h",
        fires={
            f"tollbook_task_succeeded_timestamp_seconds{{{in_task('recover')}}}": f"{8 * DAY_S - 6 * 3600}x200",
            f"tollbook_task_runs_total{{{in_task('recover')}}}": "0+6x200",
        },
        silent={
            f"tollbook_task_succeeded_timestamp_seconds{{{in_task('recover')}}}": "0x200",
            f"tollbook_task_runs_total{{{in_task('recover')}}}": "9x100 10x100",
        },
    ),
    "TollbookTaskNeverRan": Case(
        at="27h",
        every="1h",
        fires={f"tollbook_task_runs_total{{{in_task('prune')}}}": "0x30"},
        silent={
            f"tollbook_task_runs_total{{{in_task('prune')}}}": "0x20 1x10",
            f"tollbook_task_runs_total{{{in_task('recover')}}}": "0x30",
        },
    ),
}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' own checker. It fails here, and never skips, when it is missing."""
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is missing: install it with `apt-get install --no-install-recommends prometheus`")
    return program


def run(promtool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)


def group(alert: str, case: Case, series: Series, firing: int) -> dict[str, object]:
    """A test of promtool's: so many alerts fire at the case's time."""
    return {
        "name": f"{alert} {'fires' if firing else 'is silent'}",
        "interval": case.every,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": case.at,
                "exp_samples": [{"labels": "{}", "value": firing}] if firing else [],
            }
        ],
    }


def test_promtool_accepts_the_alerts_and_the_scrapes(promtool: str, tmp_path: Path) -> None:
    done = run(promtool, "check", "rules", RULES)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    done = run(promtool, "check", "config", CONF / "scrape.yml")
    assert done.returncode == 0, done.stderr
    broken = tmp_path / "alerts.yml"
    broken.write_text(RULES.read_text().replace("== 0", "=== 0", 1))
    assert run(promtool, "check", "rules", broken).returncode != 0


def test_every_alert_has_a_case() -> None:
    assert len(set(ALERTS)) == len(ALERTS)
    assert list(CASES) == ALERTS


def test_each_alert_fires_when_it_must_and_not_when_it_must_not(promtool: str, tmp_path: Path) -> None:
    for every in ("1m", "1h"):  # what takes days would take minutes to compute, a minute at a time
        tests = [
            test
            for alert, case in CASES.items()
            if case.every == every
            for test in (group(alert, case, case.fires, 1), group(alert, case, case.silent, 0))
        ]
        file = tmp_path / f"{every}.json"  # which is YAML, too
        file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": every, "tests": tests}))
        done = run(promtool, "test", "rules", file)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_says_how_bad_it_is_and_leads_to_what_to_do() -> None:
    """Its runbook_url leads to a heading of docs/operations.md, which says the same severity and a command."""
    rules = re.findall(
        r"- alert: (\w+)$.*?severity: (\w+)}$.*?summary: \"[^\n]+\"$.*?runbook_url: (\S+)$",
        RULES.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert [alert for alert, _, _ in rules] == ALERTS
    text = (ROOT / "docs" / "operations.md").read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    sections = dict(section.split("\n", 1) for section in text.split("\n### ")[1:])
    assert list(sections) == ALERTS
    for alert, severity, url in rules:
        document, _, anchor = url.partition("#")
        assert anchor in anchors(ROOT / document)
        assert anchor == alert.lower()
        explained = sections[alert].strip()
        assert explained.startswith(f"*{severity}*. "), alert
        assert re.search(r"`|\]\(#", explained), f"{alert}: no command, and no other alert that has one"
