"""A real `tollbook serve`, and requests to it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from tests.commands import TOLLBOOK, Running, environment, free_port
from tests.waiting import wait_until

TIMEOUT_S = 60.0


class ApiServer(Running):
    """A `tollbook serve` on a free port of loopback; `whole` has settings by their whole names, such as pyiceberg's."""

    def __init__(
        self,
        database_url: str,
        log: Path,
        *,
        whole: Mapping[str, str] | None = None,
        program: Sequence[str | Path] = (TOLLBOOK,),
        **settings: str,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ours = {"database_url": database_url, "api_bind": f"127.0.0.1:{self.port}", "data_dir": str(log.parent)}
        super().__init__(["serve"], environment(**ours | settings) | dict(whole or {}), log, program)

    def get(
        self, path: str, key: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        """Ask on a connection of its own."""
        sent = {**(headers or {}), **({} if key is None else {"x-api-key": key})}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path, headers=sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def wait_until_up(self) -> None:
        """Wait for the first response."""
        wait_until(self._answers, TIMEOUT_S, every_s=0.05, what=lambda: self.output)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            self.get("/healthz")
        except OSError:
            return False
        return True


@contextmanager
def serving(
    database_url: str, log: Path, *, whole: Mapping[str, str] | None = None, **settings: str
) -> Generator[ApiServer]:
    """Run `tollbook serve`, and yield it when it answers; at the end it is gone."""
    server = ApiServer(database_url, log, whole=whole, **settings)
    try:
        server.wait_until_up()
        yield server
        assert "Traceback" not in server.output, server.output
    finally:
        server.kill()
