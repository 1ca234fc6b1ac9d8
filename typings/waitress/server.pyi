import socket
from wsgiref.types import WSGIApplication

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.wasyncore import dispatcher

class TcpWSGIServer(dispatcher):
    adj: Adjustments
    application: WSGIApplication
    active_channels: dict[int, HTTPChannel]
    def __init__(
        self,
        application: WSGIApplication,
        *,
        map: dict[int, dispatcher],
        _sock: socket.socket,
        dispatcher: object,
        adj: Adjustments,
        sockinfo: tuple[object, ...],
        bind_socket: bool,
    ) -> None: ...
    def add_task(self, task: HTTPChannel) -> None: ...
    def maintenance(self, now: float) -> None: ...
    def set_socket_options(self, conn: socket.socket) -> None: ...
    def pull_trigger(self) -> None: ...
