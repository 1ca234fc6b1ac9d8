"""How FreeSWITCH writes events: their frames, and values in the plain and in the JSON format."""

import re

# Everything outside printable ASCII, and these, leave FreeSWITCH percent-encoded. A "%" that already stands
# before two hex digits is passed on as it is: so "%0A" in a caller's name and a real newline look alike.
_UNSAFE = b'\r\n #%&+:;<=>?@[\\]^`{|}"'
_TO_ENCODE = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^!$\x27()*,\-./0-9A-Z_a-z~%]")
_MUST_ENCODE = frozenset(byte for byte in range(256) if byte < 32 or byte > 126 or byte in _UNSAFE)

# "%25" before two hex digits cannot have been made from a "%": that one would not have been encoded.
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
    """Return `body` as the frame of an event, headers in the order FreeSWITCH sends them."""
    return b"Content-Length: %d\nContent-Type: %s\n\n%s" % (len(body), content_type, body)


def percent_encode(value: bytes) -> bytes:
    """Encode a header value as FreeSWITCH does in plain events, its pass-through of "%XX" included."""
    return _TO_ENCODE.sub(lambda found: b"%%%02X" % ord(found[0]), value)


def percent_decode(value: bytes) -> bytes:
    """Decode a plain header value so that `percent_encode` gives it back.

    Where FreeSWITCH's pass-through makes it ambiguous ("%0A"), the encoded byte is assumed.
    """
    return _TO_DECODE.sub(_decode_escape, value)


def _decode_escape(found: re.Match[bytes]) -> bytes:
    byte = int(found[0][1:], 16)
    return bytes((byte,)) if byte in _MUST_ENCODE else found[0]


def json_string(value: bytes) -> bytes:
    """Return a JSON string as cJSON prints it: bytes above 0x7f pass through, valid UTF-8 or not."""
    return b'"' + _JSON_SPECIAL.sub(_escape_json, value) + b'"'


def _escape_json(found: re.Match[bytes]) -> bytes:
    return _JSON_ESCAPES.get(found[0]) or b"\\u%04x" % ord(found[0])
