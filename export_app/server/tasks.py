"""What a worker thread does with a request: run the application, or refuse what is no request of ours."""

import threading
from typing import Final, Protocol, cast

import msgspec
from waitress.task import ErrorTask, Task, WSGITask

from export_app.metrics.requests import RequestMetrics
from export_app.server.access_log import note_request
from export_app.server.request_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES
from export_app.web.client_address import Address
from export_app.web.event_stream import STREAM, EventStream
from export_app.web.measured import ERROR_CODE, ROUTE
from export_app.web.responses import error_body
from export_app.web.security_headers import SECURITY_HEADERS

# By status: the code, and what to do. waitress's parser adds what it found.
_REFUSALS: Final = {
    400: ("bad_request", "this is no request in HTTP/1.1"),
    413: ("request_entity_too_large", f"no resource takes a body: send none, or at most {MAX_BODY_BYTES} bytes"),
    431: (
        "request_header_fields_too_large",
        f"the address and the headers may have {MAX_HEAD_BYTES} bytes together: shorten them",
    ),
    500: ("internal_error", "this is a fault of the server, whose log has the details: tell the operator when"),
    501: ("not_implemented", "a body may come as it is, or chunked, and in no other Transfer-Encoding"),
}


class _Connection(Protocol):
    """What a task asks of its connection."""

    stopping: threading.Event
    metrics: RequestMetrics

    def begin_stream(self, stream: EventStream, *, chunked: bool) -> None: ...

    def client_of(self, forwarded: str | None) -> Address | None: ...


class RequestTask(WSGITask):
    """Runs the application, and logs the request."""

    def build_response_header(self) -> bytes:
        """Return the head of the response; while the server stops, this response is the connection's last."""
        if _connection(self).stopping.is_set():
            self.set_close_on_finish()
        return super().build_response_header()

    def finish(self) -> None:
        """End the response, unless it is a stream, which goes on without this thread."""
        stream = self.get_environment().get(STREAM)
        if not isinstance(stream, EventStream) or not self.status.startswith("200") or self.request.command == "HEAD":
            super().finish()
            return
        self.close_on_finish = False
        _connection(self).begin_stream(stream, chunked=self.chunked_response)

    def service(self) -> None:
        """Serve the request."""
        super().service()
        environ = self.get_environment()
        _note(self, route=environ.get(ROUTE), error_code=environ.get(ERROR_CODE))


class RefusalTask(ErrorTask):
    """Answers what is no request as the application answers errors."""

    def execute(self) -> None:
        """Write the response, the connection's last."""
        error = self.request.error
        assert error is not None
        code, message = _REFUSALS[error.code]
        if error.code == 400:
            message = f"{message}: {error.body}"
        body = msgspec.json.encode(error_body(code, message))
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", "application/json"), *SECURITY_HEADERS.items()]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if self.request.command == "HEAD" else body)

    def service(self) -> None:
        """Refuse the request."""
        super().service()
        error = self.request.error
        assert error is not None
        _note(self, route=None, error_code=_REFUSALS[error.code][0])


def _note(task: Task, *, route: str | None, error_code: str | None) -> None:
    connection = _connection(task)
    client = connection.client_of(task.request.headers.get("X_FORWARDED_FOR"))
    note_request(task, client, connection.metrics, route=route, error_code=error_code)


def _connection(task: Task) -> _Connection:
    return cast("_Connection", task.channel)
