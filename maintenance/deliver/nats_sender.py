"""Publishes events to NATS JetStream as CloudEvents, and waits until the stream has each.

The event's id is its Nats-Msg-Id: within DUPLICATES_S the stream takes what it has already, after a kill between its
answer and ours, and stores it once.
"""
# nats-py leaves types out:
# pyright: reportUnknownMemberType=false

import asyncio
from typing import Final

import nats
from nats.aio.client import Client
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import NoStreamResponseError, NotFoundError

from maintenance.deliver.outcome import Outcome
from tollbook.store.events.queue import Delivery

STREAM: Final = "TOLLBOOK"
SUBJECTS: Final = "tollbook.>"
DUPLICATES_S: Final = 600.0
#: How long a stream that we make keeps events; an operator who wants another makes the stream, or changes it.
_KEPT_S: Final = 7 * 24 * 3600.0
_CONNECT_S: Final = 5.0
_PUBLISH_S: Final = 5.0


class NatsSender:
    """Publishes to one server or cluster; connects when it is needed, and again when the connection was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._connecting: asyncio.Task[JetStreamContext] | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            await client.close()

    async def publish(self, delivery: Delivery, subject: str, payload: bytes) -> Outcome:
        """Publish, and wait for the stream's acknowledgement; return what came of it."""
        try:
            stream = await self._connected()
            headers = {"Nats-Msg-Id": delivery.message_id, "content-type": "application/cloudevents+json"}
            await stream.publish(subject, payload, timeout=_PUBLISH_S, headers=headers)
        except (Error, OSError, TimeoutError, ValueError) as error:
            if isinstance(error, NoStreamResponseError):
                self._stream = None  # was deleted: the next one finds another, or makes it
            text = " ".join(str(error).split())
            return Outcome(delivery=delivery, error=f"{type(error).__name__}: {text}")
        return Outcome(delivery=delivery)

    async def _connected(self) -> JetStreamContext:
        """Return the stream. Of many events at once the first connects, and all the others fail with it if it fails."""
        if self._client is not None and self._stream is not None and not self._client.is_closed:
            return self._stream
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> JetStreamContext:
        if self._client is None or self._client.is_closed:
            # Waits of ours, not of the library: a delivery fails, and is tried again with all others.
            self._client = await nats.connect(
                self._url.split(","), name="tollbook deliver", allow_reconnect=False, connect_timeout=_CONNECT_S,
                error_cb=_ignore,
            )  # fmt: skip
            self._stream = None
        stream = self._client.jetstream(timeout=_PUBLISH_S)
        try:
            await stream.find_stream_name_by_subject(SUBJECTS)
        except NotFoundError:
            await stream.add_stream(
                StreamConfig(name=STREAM, subjects=[SUBJECTS], max_age=_KEPT_S, duplicate_window=DUPLICATES_S)
            )
        self._stream = stream
        return stream


async def _ignore(error: Exception) -> None:
    """What matters of an error, publishing raises."""
    del error
