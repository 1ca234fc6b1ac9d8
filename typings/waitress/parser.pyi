from waitress.adjustments import Adjustments
from waitress.utilities import Error

class ParsingError(Exception): ...

class HTTPRequestParser:
    completed: bool
    chunked: bool
    expect_continue: bool
    headers_finished: bool
    header_plus: bytes
    headers: dict[str, str]
    command: str
    path: str
    error: Error | None
    def __init__(self, adj: Adjustments) -> None: ...
    def received(self, data: bytes) -> int: ...
    def parse_header(self, header_plus: bytes) -> None: ...
