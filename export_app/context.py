"""The services that the application works with: made once at start, read by the views."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from flask import Flask, current_app

from export_app.archive import SharedArchive
from export_app.database import Database
from export_app.known_keys import KnownKeys, KnownSessions
from export_app.outages import Outages
from export_app.share import Share, waiting_room
from export_app.web.client_address import Network
from export_app.web.rate_limit import RateLimit
from tollbook.config import Settings
from tollbook.model.recordings import RecordingPaths
from tollbook.model.trunks import TrunkRules
from tollbook.statements.book import StatementSettings
from tollbook.times import SECONDS_PER_HOUR

_KEY: Final = "tollbook"
# 10,000 calls take more than a second of a core.
ACCOUNT_WORKBOOKS: Final = 1
ACCOUNT_WATCHERS: Final = 1  # the others wait for its answer


@dataclass(frozen=True, kw_only=True)
class Services:
    """Both tiers of calls, and what comes from the operator's settings."""

    database: Database
    archive: SharedArchive
    workbooks: Share  # who makes workbooks, each of which keeps a core busy
    watchers: Share  # who asks what is up now, where it must be read anew
    known_keys: KnownKeys
    known_sessions: KnownSessions
    session_s: int  # how long a session lasts at most
    rate_limit: RateLimit
    outages: Outages
    trunk_rules: TrunkRules  # which legs are off-net, for the explanation of a call
    tenants_see_carriers: bool  # whether accounts may learn who the carriers are
    statements: StatementSettings  # who issues statements, with which taxes
    recordings: RecordingPaths  # how the paths of recordings are shown
    trusted_proxies: Collection[Network]  # whose X-Forwarded-For is believed
    api_url: str  # where clients find the API; empty: as they asked for it
    webhook_private: Collection[Network] = ()  # private addresses that endpoints may have

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the services that the settings describe; raises SettingsError. Nothing is connected before `open`."""
        room, outages = waiting_room(), Outages()
        return cls(
            database=Database(settings.require_database_url(), room),
            archive=SharedArchive(settings, room, outages),
            workbooks=Share("workbooks", "workbooks", ACCOUNT_WORKBOOKS, room),
            watchers=Share("now", "answers of what is up now", ACCOUNT_WATCHERS, room),
            known_keys=KnownKeys(),
            known_sessions=KnownSessions(),
            session_s=settings.session_hours * SECONDS_PER_HOUR,
            rate_limit=RateLimit(settings.rate_limit),
            outages=outages,
            trunk_rules=settings.trunk_rules,
            tenants_see_carriers=settings.tenants_see_carriers,
            statements=StatementSettings.of(settings),
            recordings=settings.recording_paths,
            trusted_proxies=settings.trusted_proxies,
            api_url=settings.api_url or "",
            webhook_private=settings.webhook_private,
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
