"""What an app is given when it is made, for its views."""

from collections.abc import Collection
from typing import Final, cast

from flask import Flask, current_app

from export_app.database import Database
from export_app.web.client_address import Network
from export_app.web.rate_limit import Limits
from tollbook.archive.reader import Archive
from tollbook.model.trunks import TrunkRules

_DATABASE: Final = "tollbook.database"
_ARCHIVE: Final = "tollbook.archive"
_LIMITS: Final = "tollbook.limits"
_TRUNK_RULES: Final = "tollbook.trunk_rules"
_PROXIES: Final = "tollbook.proxies"


def give_database(app: Flask, database: Database) -> None:
    """Let the app's views use this database."""
    app.extensions[_DATABASE] = database


def database() -> Database:
    """Give the database of the app that serves this request."""
    return cast("Database", current_app.extensions[_DATABASE])


def give_archive(app: Flask, archive: Archive) -> None:
    """Let the app's views read this archive."""
    app.extensions[_ARCHIVE] = archive


def archive() -> Archive:
    """Give the archive of the app that serves this request."""
    return cast("Archive", current_app.extensions[_ARCHIVE])


def give_limits(app: Flask, limits: Limits) -> None:
    """Let the app count requests here."""
    app.extensions[_LIMITS] = limits


def limits() -> Limits:
    """Give the limits of the app that serves this request."""
    return cast("Limits", current_app.extensions[_LIMITS])


def give_trunk_rules(app: Flask, trunk_rules: TrunkRules) -> None:
    """Let the app's views explain calls by these lists of the operator's."""
    app.extensions[_TRUNK_RULES] = trunk_rules


def trunk_rules() -> TrunkRules:
    """Give the operator's lists."""
    return cast("TrunkRules", current_app.extensions[_TRUNK_RULES])


def give_proxies(app: Flask, proxies: Collection[Network]) -> None:
    """Let the app believe these proxies whom they speak for."""
    app.extensions[_PROXIES] = proxies


def proxies() -> Collection[Network]:
    """Give the proxies that are believed."""
    return cast("Collection[Network]", current_app.extensions[_PROXIES])
