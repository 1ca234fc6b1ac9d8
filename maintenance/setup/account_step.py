"""The steps of rates, the first account, and the first keys."""

import re
from pathlib import Path
from typing import Final

from maintenance.setup.context import NONE, Context
from maintenance.setup.host import readable_for
from tollbook.errors import UsageError
from tollbook.store import keys
from tollbook.store.database import store_errors
from tollbook.store.tariffs import tariffs

_DEFAULT_PLAN: Final = "retail"
_DEFAULT_CURRENCY: Final = "USD"


def set_up_account(context: Context) -> None:
    """Import a deck, and add an account with a key. Raises our errors."""
    asked = context.questions
    deck = asked.ask(
        "Calls are priced by a deck, a CSV file with prefix and per_min (docs/rating.md). none: price them later.",
        "deck",
        _deck,
        given=None if context.options.deck is None else str(context.options.deck),
        default=NONE,
    )
    plan = context.options.plan or (_DEFAULT_PLAN if deck else None)
    if deck is not None and plan is not None:
        currency = _currency(context, plan)
        with readable_for(deck, context.user) as path:
            context.say("rates: " + context.commands.run("rates", "import", str(path), "--plan", plan, *currency))
    account_id = asked.ask(
        "An account is whom calls belong to, named as the switch names it. none: add accounts later.",
        "first account",
        lambda text: None if text in ("", NONE) else text,
        given=context.options.account,
        default=NONE,
    )
    if account_id is None:
        return
    with context.connected() as connection, store_errors():
        accounts = {account.account_id for account in tariffs.accounts(connection)}
        has_key = any(key.account_id == account_id and key.revoked_at is None for key in keys.every(connection))
    if account_id in accounts:
        context.say(f"account {account_id} is there, and stays as it is")
    else:
        options = {"--name": context.options.account_name, "--plan": plan, "--numbering": _numbering(context)}
        given = [word for name, value in options.items() if value for word in (name, value)]
        context.say(context.commands.run("account", "add", account_id, *given))
    if has_key:
        context.say(f"account {account_id} has a key already: `tollbook key create --account …` makes another one")
    else:
        _show_key(context, f"API key of {account_id}", "--account", account_id)


def set_up_operator_key(context: Context) -> None:
    """Make the operator's first key. Raises our errors."""
    with context.connected() as connection:
        if any(key.account_id is None and key.revoked_at is None for key in keys.every(connection)):
            return
    if context.questions.confirm(
        "An operator's key reads all calls, in the API and in the dashboard.",
        "make one",
        given=context.options.operator_key,
        default=not context.questions.silent,
    ):
        _show_key(context, "operator's API key", "--operator")


def _currency(context: Context, plan: str) -> tuple[str, ...]:
    """Return the option of `rates import`: a new plan has a currency, and one that is there keeps its own."""
    currency = context.options.currency
    if currency is None and not context.questions.silent:
        with context.connected() as connection, store_errors():
            there = any(row.plan_id == plan for row in tariffs.plans(connection))
        if not there:
            sentence = "Its prices are in one currency, which the plan keeps."
            currency = context.questions.ask(sentence, "currency", _checked_currency, default=_DEFAULT_CURRENCY)
    return ("--currency", currency) if currency else ()


def _checked_currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise UsageError(f"{text}: write three capital letters, for instance USD or EUR")
    return text


def _numbering(context: Context) -> str | None:
    """Return how the account dials; None where numbers are taken as digits."""
    if context.options.numbering is not None or context.questions.silent:
        return context.options.numbering
    with context.connected() as connection, store_errors():
        known = [row.numbering_id for row in tariffs.numberings(connection)]

    def check(text: str) -> str | None:
        if text not in (NONE, *known):
            raise UsageError(f"there is no numbering plan {text}: there are {', '.join(known)}, and none")
        return None if text == NONE else text

    return context.questions.ask(
        f"Its numbers are dialled in a national way: {', '.join(known)}. none: as they stand in the deck.",
        "numbering",
        check,
        default=NONE,
    )


def _show_key(context: Context, whose: str, *options: str) -> None:
    context.keys.append(f"{whose}: {context.commands.run('key', 'create', *options)}")


def _deck(text: str) -> Path | None:
    if text in ("", NONE):
        return None
    path = Path(text).absolute()
    if not path.is_file():
        raise UsageError(f"there is no file {path}: write the path of a deck, or none")
    return path
