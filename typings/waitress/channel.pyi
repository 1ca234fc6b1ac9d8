import socket
from typing import Any

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.wasyncore import dispatcher

class OverflowableBuffer:
    def append(self, s: bytes) -> None: ...

class HTTPChannel(dispatcher):
    task_class: type[WSGITask]
    error_task_class: type[ErrorTask]
    parser_class: type[HTTPRequestParser]
    server: TcpWSGIServer
    request: HTTPRequestParser | None
    requests: list[HTTPRequestParser]
    will_close: bool
    close_when_flushed: bool
    total_outbufs_len: int
    outbufs: list[OverflowableBuffer]
    sendbuf_len: int
    def __init__(
        self,
        server: TcpWSGIServer,
        sock: socket.socket,
        addr: Any,
        adj: Adjustments,
        map: dict[int, dispatcher] | None = None,
    ) -> None: ...
    def received(self, data: bytes) -> bool: ...
    def send_continue(self) -> None: ...
    def service(self) -> None: ...
    def cancel(self) -> None: ...
