from wsgiref.types import WSGIEnvironment

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

class Task:
    channel: HTTPChannel
    request: HTTPRequestParser
    status: str
    response_headers: list[tuple[str, str]]
    wrote_header: bool
    start_time: float
    content_length: int | None
    content_bytes_written: int
    def service(self) -> None: ...
    close_on_finish: bool
    chunked_response: bool
    def finish(self) -> None: ...
    def execute(self) -> None: ...
    def build_response_header(self) -> bytes: ...
    def set_close_on_finish(self) -> None: ...
    def write(self, data: bytes) -> None: ...

class ErrorTask(Task): ...

class WSGITask(Task):
    def get_environment(self) -> WSGIEnvironment: ...
