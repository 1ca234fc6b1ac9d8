"""waitress's parser of requests, for callers who mean harm."""

from typing import Final

from waitress.parser import HTTPRequestParser, ParsingError

MAX_HEAD_BYTES: Final = 16 * 1024
# An endpoint to make has the longest body, of some 3 kB. Where none is wanted, what comes is read and dropped, so that
# the connection can go on.
MAX_BODY_BYTES: Final = 64 * 1024


class RequestParser(HTTPRequestParser):
    """Reads one request: at most MAX_HEAD_BYTES, then at most MAX_BODY_BYTES; `error` is set for anything else."""

    # Until they are read. waitress's parser has none, and its log of a refused client that has gone failed on that.
    command = "-"
    path = "-"

    def received(self, data: bytes) -> int:
        """Read a part of the request; return how many bytes of it belong to this request."""
        skipped = 0
        if not self.header_plus and not self.headers_finished:
            # Blank lines before a request are allowed. waitress would take two for a request, so that the time of the
            # next one began anew: a client could drip blank lines for ever.
            rest = data.lstrip()
            skipped, data = len(data) - len(rest), rest
            if not data:
                return skipped
        read = super().received(data)
        if self.completed:
            # Refused, or without a body: after "100 Continue" waitress would go on to wait for one.
            self.expect_continue = False
        return skipped + read

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head; raises ParsingError."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            # Not caught there: an address such as http://[::1, and a Content-Length of more than 4,300 digits.
            raise ParsingError(f"Malformed request: {error}") from error
        # Where a body ends must not depend on who reads: a proxy before us could see another request than we do.
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Transfer-Encoding is for HTTP/1.1, and not beside a Content-Length")
