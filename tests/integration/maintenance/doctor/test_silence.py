"""`tollbook doctor` ends soon when nothing that it asks answers: all of it is asked at once."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from pydantic import SecretStr

from tests.api_server import ApiServer
from tests.archiving import archive_now
from tests.commands import environment, run_installed
from tests.databases import store
from tests.factories import call
from tests.integration.maintenance.conftest import BUCKET, PREFIX, S3Server
from tests.integration.maintenance.doctor.test_cli import examined
from tollbook.config import Settings
from tollbook.store.database import connect

NAMES = ("database", "switch", "s3", "api", "catalog")


@pytest.fixture
def black_holes() -> Iterator[dict[str, int]]:
    """The ports of servers that accept every connection and never answer."""
    with ExitStack() as held:
        sockets = {name: held.enter_context(socket.create_server(("127.0.0.1", 0))) for name in NAMES}
        yield {name: server.getsockname()[1] for name, server in sockets.items()}


def silent_settings(ports: dict[str, int], data_dir: Path) -> dict[str, str]:
    return environment(
        database_url=f"postgresql://t:a-secret@127.0.0.1:{ports['database']}/calls",
        esl=f"esl://:a-secret@127.0.0.1:{ports['switch']}",
        api_bind=f"127.0.0.1:{ports['api']}",
        recordings_url=f"https://127.0.0.1:{ports['api']}/{{path}}",
        data_dir=str(data_dir),
    ) | {
        f"{PREFIX}URI": f"http://127.0.0.1:{ports['catalog']}",
        f"{PREFIX}TYPE": "rest",
        f"{PREFIX}WAREHOUSE": f"s3://{BUCKET}/calls",
        f"{PREFIX}S3__ENDPOINT": f"https://127.0.0.1:{ports['s3']}",
        f"{PREFIX}S3__ACCESS_KEY_ID": "key",
        f"{PREFIX}S3__SECRET_ACCESS_KEY": "a-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_nothing_answers(black_holes: dict[str, int], tmp_path: Path) -> None:
    """Each server that is silent is named: in 5 s on a quiet machine."""
    begun_s = time.monotonic()
    done = run_installed(["doctor"], silent_settings(black_holes, tmp_path), tmp_path)
    took_s = time.monotonic() - begun_s
    assert done.returncode == 2
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert failed[:4] == ["database", "archive", "switch", "API"], done.stdout
    assert "a-secret" not in done.stdout + done.stderr
    assert took_s < 25, f"{took_s:.1f} s"


def test_the_object_storage_does_not_answer(
    api: ApiServer, s3_server: S3Server, database_url: str, black_holes: dict[str, int], tmp_path: Path
) -> None:
    """Its checks are given up after 3.5 s, and the command does not wait for its client, which goes on for a minute."""
    s3 = {
        f"{PREFIX}WAREHOUSE": f"s3://{BUCKET}/silent",
        f"{PREFIX}S3__ENDPOINT": f"http://127.0.0.1:{s3_server.port}",
        f"{PREFIX}S3__ACCESS_KEY_ID": s3_server.key,
        f"{PREFIX}S3__SECRET_ACCESS_KEY": s3_server.secret,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with connect(database_url, name="test", autocommit=True) as connection, patch.dict(os.environ, s3):
        store(connection, call("c1"))
        archive_now(Settings(database_url=SecretStr(database_url), data_dir=tmp_path))
    silent = {f"{PREFIX}S3__ENDPOINT": f"http://127.0.0.1:{black_holes['s3']}"}
    ours = environment(database_url=database_url, data_dir=str(tmp_path), api_bind=f"127.0.0.1:{api.port}")
    begun_s = time.monotonic()
    _, found = examined(run_installed(["doctor", "--json"], ours | s3 | silent, tmp_path))
    took_s = time.monotonic() - begun_s
    assert found["archive"]["found"] == "no answer for 3.5 s: the remaining checks were not made"
    assert found["database"]["status"] == found["spool"]["status"] == "OK"
    assert took_s < 25, f"{took_s:.1f} s"
