"""The calls that have a number, and what of their rows and legs may hold one."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from tollbook.model.call_key import CallKey
from tollbook.model.leg import Leg
from tollbook.model.numbers import SEPARATORS
from tollbook.store.calls.legs import leg_from
from tollbook.store.database import Connection, store_errors
from tollbook.store.erasure.calls import PIECE, ErasedCall


class RowTexts(NamedTuple):
    """The columns of a row that are, or may hold, numbers; parts, recordings and vars are JSON text."""

    from_num: str = ""
    to_num: str = ""
    agent_id: str | None = None
    parts: str | None = None
    sip_call_id: str | None = None
    recordings: str | None = None
    vars: str | None = None


#: Whether a number is one of a row's, as the account dials.
NamedIn: TypeAlias = Callable[[RowTexts, str | None], bool]
NamedByLeg: TypeAlias = Callable[[Leg, str | None], bool]
#: Returns the accounts of those of some calls that are archived.
AccountsOf: TypeAlias = Callable[[Collection[CallKey]], Mapping[CallKey, str | None]]


def calls_naming(
    connection: Connection,
    digits: str,
    *,
    account_id: str | None,
    until_ts: int,
    up: bool = False,
    named_in: NamedIn,
    named_by_leg: NamedByLeg,
    archived_accounts: AccountsOf,
) -> Iterator[ErasedCall]:
    """Yield the calls with a number: their own, a charge's, their agent's, of one of their legs, or in their details.

    They are complete, or, if `up`, have not ended. `digits`: some that the number has however it is dialled, once its
    separators are taken out; what holds them is looked at. Legs outlive the rows of pruned days: the account of such a
    call is that of `archived_accounts`. A call can come twice. Call in autocommit: the connection is busy until the
    last one has been read.
    """
    wanted = {"digits": digits, "separators": SEPARATORS, "account": account_id, "until": until_ts, "up": up}
    with store_errors():
        rows = connection.cursor().stream(_CANDIDATES, wanted, size=PIECE)
        for start_ts, call_id, switch, account, *texts in rows:
            if named_in(RowTexts(*texts), account):
                yield CallKey(start_ts, call_id, switch), account
        legs = connection.cursor().stream(_CANDIDATE_LEGS, wanted, size=PIECE)
        for start_ts, call_id, switch, account, uid, created_us, facts in legs:
            if named_by_leg(leg_from(switch, uid, created_us, facts), account):
                yield CallKey(start_ts, call_id, switch), account
        if not up:
            rest = connection.cursor().stream(_LEGS_WITHOUT_ROW, wanted, size=PIECE)
            while piece := list(islice(rest, PIECE)):
                yield from _archived_naming(piece, account_id, named_by_leg, archived_accounts)


def _archived_naming(
    legs: Sequence[tuple[Any, ...]], account_id: str | None, named_by_leg: NamedByLeg, archived_accounts: AccountsOf
) -> Iterator[ErasedCall]:
    accounts = archived_accounts({CallKey(*key) for *key, _, _, _ in legs})
    for start_ts, call_id, switch, uid, created_us, facts in legs:
        key = CallKey(start_ts, call_id, switch)
        account = accounts.get(key)
        if account_id in (None, account) and named_by_leg(leg_from(switch, uid, created_us, facts), account):
            yield key, account


# All read all rows and legs: no index knows the middle of a text. Without its separators, as numbers are compared.
_CANDIDATES: Final = """
    SELECT start_ts, call_id, switch, account_id, from_num, to_num, agent_id, parts::text, sip_call_id,
           recordings::text, vars::text
    FROM call_cdr
    WHERE (end_ts IS NULL) = %(up)s AND start_ts < %(until)s
      AND (%(account)s::text IS NULL OR account_id = %(account)s)
      AND strpos(translate(
          concat_ws(',', from_num, to_num, agent_id, parts, sip_call_id, recordings, vars), %(separators)s, ''
      ), %(digits)s) > 0
"""


_CANDIDATE_LEGS: Final = """
    SELECT call.start_ts, call.call_id, call.switch, call.account_id, leg.uid, leg.created_us, leg.facts::text
    FROM call_leg AS leg JOIN call_cdr AS call
        ON (call.start_ts, call.call_id, call.switch) = (leg.call_start_ts, leg.call_id, leg.switch)
    WHERE strpos(translate(leg.facts::text, %(separators)s, ''), %(digits)s) > 0
      AND (call.end_ts IS NULL) = %(up)s AND call.start_ts < %(until)s
      AND (%(account)s::text IS NULL OR call.account_id = %(account)s)
"""


_LEGS_WITHOUT_ROW: Final = """
    SELECT leg.call_start_ts, leg.call_id, leg.switch, leg.uid, leg.created_us, leg.facts::text
    FROM call_leg AS leg LEFT JOIN call_cdr AS call
        ON (call.start_ts, call.call_id, call.switch) = (leg.call_start_ts, leg.call_id, leg.switch)
    WHERE strpos(translate(leg.facts::text, %(separators)s, ''), %(digits)s) > 0
      AND call.start_ts IS NULL AND leg.call_start_ts < %(until)s
"""
