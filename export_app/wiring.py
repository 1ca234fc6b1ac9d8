"""What an app is given when it is made, for its views."""

from typing import Final, cast

from flask import Flask, current_app

from export_app.database import Database

_DATABASE: Final = "tollbook.database"


def give_database(app: Flask, database: Database) -> None:
    """Let the app's views use this database."""
    app.extensions[_DATABASE] = database


def database() -> Database:
    """Give the database of the app that serves this request."""
    return cast("Database", current_app.extensions[_DATABASE])
