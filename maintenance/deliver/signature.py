"""The headers of a delivery: what it is, and the signatures by which a receiver knows whose it is. Pure.

Two signatures of the same body: sip.io's, HMAC-SHA256 of the body with the characters of the secret; and that of
Standard Webhooks (https://www.standardwebhooks.com), of id, time and body, which an old delivery cannot be sent with
again. A receiver checks the one that it knows.
"""

import base64
import hashlib
import hmac
from importlib.metadata import version
from typing import Final

from tollbook.model.endpoints import standard_key

_AGENT: Final = f"Tollbook/{version('tollbook')}"


def signed_headers(*, event: str, message_id: str, at_s: int, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers of a delivery of `body` at the time `at_s`, epoch s."""
    ours = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    content = b"%s.%d.%s" % (message_id.encode(), at_s, body)
    standard = base64.b64encode(hmac.new(standard_key(secret), content, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": _AGENT,
        "x-sipio-event": event,
        "x-sipio-signature": f"sha256={ours}",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{standard}",
    }
