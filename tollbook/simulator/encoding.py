"""How FreeSWITCH writes events: their frames, and values in the plain and in the JSON format."""

import re

# FreeSWITCH percent-encodes everything outside printable ASCII, and these. It passes on a "%" that already stands
# before two hex digits, so "%0A" in a caller's name and a real newline look alike.
_UNSAFE = b'\r\n #%&+:;<=>?@[\\]^`{|}"'
_TO_ENCODE = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^!$\x27()*,\-./0-9A-Z_a-z~%]")
_MUST_ENCODE = frozenset(byte for byte in range(256) if byte < 32 or byte > 126 or byte in _UNSAFE)

# "%25" before two hex digits was not encoded from a "%": that one would have been passed on.
_TO_DECODE = re.compile(rb"%25(?![0-9A-Fa-f]{2})|%(?!25)[0-9A-F]{2}")

_JSON_SPECIAL = re.compile(rb'[\x00-\x1f"\\]')
_JSON_ESCAPES = {
    b'"': b'\\"',
    b"\\": b"\\\\",
    b"\b": b"\\b",
    b"\f": b"\\f",
    b"\n": b"\\n",
    b"\r": b"\\r",
    b"\t": b"\\t",
}


def event_frame(content_type: bytes, body: bytes) -> bytes:
    """Return the frame of an event with this body, headers in FreeSWITCH's order."""
    return b"Content-Length: %d\nContent-Type: %s\n\n%s" % (len(body), content_type, body)


def percent_encode(value: bytes) -> bytes:
    """Return a header value as FreeSWITCH encodes it in plain events, where "%XX" is passed through."""
    return _TO_ENCODE.sub(lambda found: b"%%%02X" % ord(found[0]), value)


def percent_decode(value: bytes) -> bytes:
    """Return the value that `percent_encode` encodes to this.

    Where the pass-through makes that ambiguous ("%0A"), an encoded byte is assumed.
    """
    return _TO_DECODE.sub(_decode_escape, value)


def _decode_escape(found: re.Match[bytes]) -> bytes:
    byte = int(found[0][1:], 16)
    return bytes((byte,)) if byte in _MUST_ENCODE else found[0]


def json_string(value: bytes) -> bytes:
    """Return a value as cJSON prints it in a JSON string: bytes above 0x7f pass through, valid UTF-8 or not."""
    return b'"' + _JSON_SPECIAL.sub(_escape_json, value) + b'"'


def _escape_json(found: re.Match[bytes]) -> bytes:
    return _JSON_ESCAPES.get(found[0]) or b"\\u%04x" % ord(found[0])
