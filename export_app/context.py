"""The services that the application works with: made once at start, read by the views."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from flask import Flask, current_app

from export_app.archive import SharedArchive
from export_app.database import Database
from export_app.known_keys import KnownKeys
from export_app.share import waiting_room
from export_app.web.client_address import Network
from export_app.web.rate_limit import RateLimit
from tollbook.config import Settings
from tollbook.model.trunks import TrunkRules

_KEY: Final = "tollbook"


@dataclass(frozen=True, kw_only=True)
class Services:
    """Both tiers of calls, and what comes from the operator's settings."""

    database: Database
    archive: SharedArchive
    known_keys: KnownKeys
    rate_limit: RateLimit
    trunk_rules: TrunkRules  # which legs are off-net, for the explanation of a call
    trusted_proxies: Collection[Network]  # whose X-Forwarded-For is believed

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the services that the settings describe; raises SettingsError. Nothing is connected before `open`."""
        room = waiting_room()
        return cls(
            database=Database(settings.require_database_url(), room),
            archive=SharedArchive(settings, room),
            known_keys=KnownKeys(),
            rate_limit=RateLimit(settings.rate_limit),
            trunk_rules=settings.trunk_rules,
            trusted_proxies=settings.trusted_proxies,
        )

    def open(self) -> None:
        """Start to connect to PostgreSQL."""
        self.database.open()

    def close(self) -> None:
        """Close both tiers."""
        self.archive.close()
        self.database.close()


def set_services(app: Flask, services: Services) -> None:
    """Let the application's views use these services."""
    app.extensions[_KEY] = services


def services() -> Services:
    """Return the services of the application that serves this request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Services)
    return found
