"""What every test of the doctor has: an API that answers, so that its findings are those of the test alone."""

from collections.abc import Iterator

import pytest

from tests.api_server import ApiServer, serving
from tests.commands import Done, Tollbook
from tests.databases import NewDatabase


@pytest.fixture(scope="module")
def api(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A `tollbook serve`, on a database of its own."""
    with new_database() as url, serving(url, tmp_path_factory.mktemp("api") / "serve.log") as server:
        yield server


@pytest.fixture
def tollbook(tollbook: Tollbook, api: ApiServer) -> Tollbook:
    """Run `tollbook ARGUMENTS` where that API is."""

    def run(*arguments: str | bytes, **settings: str) -> Done:
        return tollbook(*arguments, **{"api_bind": f"127.0.0.1:{api.port}"} | settings)

    return run
