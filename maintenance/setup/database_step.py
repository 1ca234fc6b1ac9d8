"""The step of the database: kept, or made."""

import click

from maintenance.setup import database
from maintenance.setup.context import DATABASE_URL, LOOPBACK, Context
from maintenance.setup.database import DatabasePlan
from tollbook.database_url import check_database_url, connection_parameters
from tollbook.errors import Retryable, SettingsError, StoreUnavailable, TollbookError


def set_up_database(context: Context) -> None:
    """See that the settings name a database that answers, made if need be. Raises our errors."""
    options = context.options
    if options.database_url is not None:
        _checked_url(options.database_url)
        context.set(DATABASE_URL, options.database_url)
    url = context.file.value(DATABASE_URL)
    answers = url is not None and _answers(context)
    if options.reset_password or not answers or not _may_become_api(context):
        try:
            _ask_and_make(context, url)
        except TollbookError as error:
            if not answers or options.reset_password:
                raise
            context.later.append(
                "the database's role may not become tollbook_api, so that `tollbook serve` will not start: run this"
                f" again with --admin-database-url, or have an administrator run what --print-sql prints ({error})"
            )
    context.write()
    with context.connected() as connection:
        context.say("database: " + database.check_database(connection))


def _ask_and_make(context: Context, url: str | None) -> None:
    options = context.options
    # A server elsewhere that is away must not be replaced by a database on this machine.
    if url is not None and not _is_here(url) and context.questions.silent and options.admin_database_url is None:
        raise StoreUnavailable(
            f"the database of {DATABASE_URL} is not ready: mend that (in {options.env_file}, or with --database-url),"
            " or let it be made there with --admin-database-url"
        )
    context.questions.ask(
        "Tollbook needs a database and two roles in PostgreSQL 15 or newer, which an administrator's connection"
        " makes. As root on the database's own machine the default is right.",
        "administrator's connection",
        lambda text: _make(context, text),
        given=options.admin_database_url,
        default=database.ADMIN_URL,
    )


def _make(context: Context, admin_url: str) -> None:
    _checked_url(admin_url)
    with database.connect_admin(admin_url) as admin:
        kept = context.file.value(DATABASE_URL)
        plan = _plan(context, kept)
        # Written down before it is made: a run that is ended in between finds the password again.
        if kept is None:
            context.set(DATABASE_URL, database.service_url(admin, admin_url, plan))
            context.write()
        for made in database.make_database(admin, plan, reset_password=context.options.reset_password):
            context.say(f"database: {made}")
    try:
        with context.connected():
            pass
    except Retryable as error:
        raise SettingsError(
            f"{error}. Nothing but {context.options.env_file} knows its password for the role {plan.role}: if nobody"
            " else uses that role, run this again with --reset-password; else name another one with --role"
        ) from None


def _plan(context: Context, url: str | None) -> DatabasePlan:
    """Return what the settings name already, or what is to be made, with a new password."""
    parts = {} if url is None else connection_parameters(url, name="setup")
    return DatabasePlan(
        database=parts.get("dbname") or context.options.database,
        role=parts.get("user") or context.options.role,
        password=parts.get("password") or database.new_password(),
    )


def print_sql(context: Context) -> None:
    """Print what an administrator runs; the password is in the settings already, and only its hash in the SQL."""
    url = context.options.database_url or context.file.value(DATABASE_URL)
    plan = _plan(context, url)
    if url is None:
        url = f"postgresql://{plan.role}:{plan.password}@127.0.0.1:5432/{plan.database}"
    _checked_url(url)
    context.set(DATABASE_URL, url)
    context.write()
    click.echo(database.sql_for_administrator(plan), nl=False)
    click.echo("-- then run `tollbook setup` again", err=True)


def _answers(context: Context) -> bool:
    """Return whether the database of the settings answers; say what is wrong."""
    try:
        with context.connected():
            return True
    except TollbookError as error:
        context.say(f"database: the one of the settings does not answer: {error}")
        return False


def _may_become_api(context: Context) -> bool:
    with context.connected() as connection:
        return database.may_become_api(connection)


def _is_here(url: str) -> bool:
    """Return whether a URL leads to this machine: over a socket or loopback."""
    parts = connection_parameters(url, name="setup")
    host = parts.get("hostaddr") or parts.get("host") or ""
    return not host or host.startswith(("/", "@")) or host in LOOPBACK


def _checked_url(url: str) -> None:
    try:
        check_database_url(url)
    except ValueError as error:
        raise SettingsError(f"this URL of a database cannot be read: {error}") from None
