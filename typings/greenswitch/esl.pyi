# The part of greenswitch 0.0.19 that esl_listener/connection.py builds on.
from gevent import Greenlet
from gevent.event import AsyncResult, Event
from gevent.socket import socket

class InboundESL:
    host: str
    port: int
    password: str
    timeout: float
    connected: bool
    sock: socket
    _commands_sent: list[AsyncResult[str]]
    _auth_request_event: Event
    _receive_events_greenlet: Greenlet[[], None] | None
    def __init__(self, host: str, port: int, password: str, timeout: float = ...) -> None: ...
    def connect(self) -> None: ...
    def authenticate(self) -> None: ...
    def receive_events(self) -> None: ...
    def send(self, data: str) -> str: ...
    def stop(self) -> None: ...
