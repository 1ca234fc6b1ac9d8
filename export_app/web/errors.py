"""The error of the API."""

from collections.abc import Mapping
from types import MappingProxyType


class ApiError(Exception):
    """A request that fails: with an HTTP `status`, a stable `code` for programs, and a message that says what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
