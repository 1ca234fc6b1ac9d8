"""Both signatures are what their verifiers take, and nothing else is."""

import hashlib
import hmac
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from maintenance.deliver.signature import signed_headers
from tollbook.model.endpoints import standard_secret

BODY = b'{"event":"call.ended","account_id":"acme"}'


def headers(secret: str, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(event="call.ended", message_id="evt_1", at_s=int(time.time()), body=body, secret=secret)


def sipio_accepts(raw_body: bytes, header: str | None, secret: str) -> bool:
    """The verifying code of sip.io's documentation, line by line in Python."""
    expected = b"sha256=" + hmac.new(secret.encode(), raw_body, hashlib.sha256).hexdigest().encode()
    given = (header or "").encode()
    return len(given) == len(expected) and hmac.compare_digest(given, expected)


@pytest.mark.parametrize(
    "secret", ["optional", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64", "a-secret-of-theirs"]
)
def test_both_verifiers_accept_what_is_sent(secret: str) -> None:
    sent = headers(secret)
    assert Webhook(standard_secret(secret)).verify(BODY, sent)["event"] == "call.ended"
    assert sipio_accepts(BODY, sent["x-sipio-signature"], secret)
    assert sent["x-sipio-event"] == "call.ended"
    assert sent["content-type"] == "application/json"


def test_both_refuse_another_body_and_another_secret() -> None:
    secret, sent = "optional-secret", headers("optional-secret")
    for body, key in ((BODY + b" ", secret), (BODY, "another-secret")):
        with pytest.raises(WebhookVerificationError):
            Webhook(standard_secret(key)).verify(body, sent)
        assert not sipio_accepts(body, sent["x-sipio-signature"], key)


def test_an_old_delivery_cannot_be_sent_again() -> None:
    """Its time is signed, too."""
    sent = headers("optional-secret")
    sent["webhook-timestamp"] = str(int(sent["webhook-timestamp"]) + 10)
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_secret("optional-secret")).verify(BODY, sent)
