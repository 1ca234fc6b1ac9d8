"""What an app is given when it is made, for its views."""

from typing import Final, cast

from flask import Flask, current_app

from export_app.database import Database
from tollbook.lake.reader import Archive
from tollbook.model.offnet import Peers

_DATABASE: Final = "tollbook.database"
_ARCHIVE: Final = "tollbook.archive"
_PEERS: Final = "tollbook.peers"


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


def give_peers(app: Flask, peers: Peers) -> None:
    """Let the app's views explain calls by these lists of the operator's."""
    app.extensions[_PEERS] = peers


def peers() -> Peers:
    """Give the operator's lists."""
    return cast("Peers", current_app.extensions[_PEERS])
