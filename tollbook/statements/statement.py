"""A statement: what its account is charged for a month, and the bytes that are frozen when it is issued.

The canonical content is JSON with sorted names and no blanks, in UTF-8, as `jq -cjS .` writes it. Its SHA-256 is the
statement's. Amounts of lines are in micros, exact; totals are decimals in the currency's own digits, as text.
"""

import hashlib
from typing import Final, Literal, TypeAlias

import msgspec

from tollbook.errors import DataError
from tollbook.model.party import Party
from tollbook.model.statement_sums import LineKey, LineSums
from tollbook.model.taxes import Tax

#: `calls`: of the statement's own month. `correction`: what an earlier month has become more or less since it was
#: issued. `erased`: what an earlier month lost by `tollbook account erase`, which is neither charged nor credited.
Kind: TypeAlias = Literal["calls", "correction", "erased"]

#: The form of the content: `thaw` refuses another one.
VERSION: Final = 1


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a month that have direction, destination and currency in common; of a correction, the difference."""

    month: str
    kind: Kind
    direction: str
    destination: str | None
    currency: str | None
    calls: int
    billsec: int
    minutes: str
    amount_micros: int

    @property
    def key(self) -> LineKey:
        """What the calls have in common."""
        return LineKey(self.direction, self.destination, self.currency)

    @property
    def sums(self) -> LineSums:
        """The exact sums."""
        return LineSums(self.calls, self.billsec, self.amount_micros)


class TaxAmount(msgspec.Struct, frozen=True, kw_only=True):
    """A tax of a statement: its rate in percent, the rounded net amount that it is due on, and the tax."""

    name: str
    rate: str
    net: str
    tax: str


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What all lines of a currency come to: the exact sum, and the rounded amounts that are due."""

    currency: str
    calls: int
    billsec: int
    minutes: str
    amount_micros: int
    net: str
    taxes: tuple[TaxAmount, ...]
    total: str


class Uncounted(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a month that are in no line: still up, or complete without a price. A later statement has them."""

    month: str
    open: int
    unrated: int
    unrated_billsec: int


class UncountedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One of these calls."""

    start_ts: int
    call_id: str
    open: bool


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of an account and a month; without `number` and `issued_ts` it is a draft.

    Calls belong to it that started in [from_ts, until_ts), epoch ms. `taxes` are those of its own month. `estimated`
    counts calls of its lines whose end is estimated. `as_of_ts`: when the calls were read, by PostgreSQL's clock.
    `not_compared`: earlier months of which it is the first not to say what they have become, because their calls are no
    longer kept.
    """

    account_id: str
    month: str
    zone: str
    from_ts: int
    until_ts: int
    issuer: Party
    recipient: Party
    taxes: tuple[Tax, ...]
    lines: tuple[Line, ...]
    totals: tuple[Total, ...]
    uncounted: tuple[Uncounted, ...]
    uncounted_calls: tuple[UncountedCall, ...]
    estimated: int
    as_of_ts: int
    not_compared: tuple[str, ...] = ()
    number: str | None = None
    issued_ts: int | None = None
    version: int = VERSION


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A statement as it was issued, with the SHA-256 of its content in hexadecimal digits."""

    statement: Statement
    content: bytes
    sha256: str


_encoder: Final = msgspec.json.Encoder(order="sorted")
_decoder: Final = msgspec.json.Decoder(Statement)


def encode(statement: Statement) -> bytes:
    """Return the canonical content."""
    return _encoder.encode(statement)


def freeze(statement: Statement) -> Issued:
    """Return a statement with its content and the content's hash."""
    content = encode(statement)
    return Issued(statement=statement, content=content, sha256=hashlib.sha256(content).hexdigest())


def thaw(content: str, sha256: str) -> Issued:
    """Return a statement from its stored content.

    Raises DataError when that is not what the hash was made of, and when it has the form of another version.
    """
    stored = content.encode()
    if hashlib.sha256(stored).hexdigest() != sha256:
        raise DataError("the content of an issued statement does not have its SHA-256: restore it from a backup")
    try:
        statement = _decoder.decode(stored)
    except msgspec.MsgspecError as error:
        raise DataError(f"an issued statement cannot be read: {error}: is this Tollbook older than it?") from error
    if statement.version != VERSION:
        raise DataError(
            f"an issued statement has version {statement.version}, and this Tollbook reads version {VERSION}: is it"
            " older than the statement?"
        )
    return Issued(statement=statement, content=stored, sha256=sha256)
