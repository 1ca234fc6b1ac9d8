"""What the API says instead of an answer."""

from collections.abc import Mapping
from types import MappingProxyType


class ApiError(Exception):
    """A request that is not answered: HTTP `status`, a stable `code` for programs, a message that says what to do."""

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
