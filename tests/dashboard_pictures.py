"""`python -m tests.dashboard_pictures`: take the pictures of docs/dashboard.md anew.

A made-up company's calls of nine weeks, the same at each run but for their dates, in a database of its own; Debian's
chromium; both colour schemes, on a desktop and on a phone.
"""

import io
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, expect

from tests.api_server import serving
from tests.dashboard_site import Site, chromium
from tests.databases import store
from tests.factories import Call, call_row, price_of
from tests.paths import ROOT
from tests.recorded_details import legs_heard
from tollbook.embedded import embedded_postgres
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.details import Details
from tollbook.model.fold import FoldSettings
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.store.sums.rollup import roll_up
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

_FOLDER: Final = ROOT / "docs"
_DAYS: Final = 65
_CALLS: Final = 11_000
_COLOURS: Final = 200  # of a picture: half of the bytes, and no difference that is seen
_SIZES: Final = {1440: 960, 390: 844}
_MINUTE_MICROS: Final = {"Germany, fixed": 9_000, "Germany, mobile": 41_000, "Austria": 32_000, "United States": 12_000}
_NUMBERS: Final = {
    "Germany, fixed": "+4930555", "Germany, mobile": "+49151555", "Austria": "+431555", "United States": "+1212555",
}  # fmt: skip
_RECORDED: Final = "xfer_blind_to_trunk"
_RECORDED_DAY: Final = "range=custom&from=2026-11-28T00:00&to=2026-11-29T00:00"


def _calls(now: int) -> Iterator[Call]:
    """Yield calls of two companies: by day more than by night, two queues, four agents, one call in 300 unrated."""
    dice = random.Random(20)
    for number in range(_CALLS):
        account = dice.choices(("acme", "blue-sky"), (3, 1))[0]
        day, hour = (
            dice.randrange(_DAYS),
            dice.choices(range(24), [1] * 7 + [4, 9, 12, 11, 9, 7, 9, 11, 10, 8, 5] + [2] * 6)[0],
        )
        begun = now - day * MS_PER_DAY - (hour * 60 + dice.randrange(60)) * 60_000 - dice.randrange(60_000)
        queued = dice.random() < 0.4
        destination = dice.choice(list(_NUMBERS))
        outside = f"{_NUMBERS['Germany, mobile' if queued else destination]}{dice.randrange(10_000):04}"
        result = dice.choices(
            ("answered", "abandoned", "busy", "no_answer", "cancelled", "failed"),
            (80, 9, 0, 0, 0, 0) if queued else (70, 0, 9, 10, 8, 2),
        )[0]
        talked = result == "answered"
        waited, talk = int(dice.expovariate(1 / 14)) + 2, int(dice.expovariate(1 / 170)) + 5
        billsec = talk if talked else 0
        gateway, pdd = None if queued else dice.choice(("north", "south")), dice.randrange(400, 2600)
        row = call_row(
            f"{number:06}", account, begun, direction="inbound" if queued else "outbound",
            from_num=outside if queued else str(1001 + dice.randrange(8)), to_num="+49305550100" if queued else outside,
            answer_ts=begun + 4000 if talked else None, end_ts=begun + (waited + billsec) * 1000,
            duration_sec=waited + billsec, billsec=billsec, answered=int(talked), disposition=result,
            hangup_cause={"busy": "USER_BUSY", "no_answer": "NO_ANSWER", "cancelled": "ORIGINATOR_CANCEL",
                          "failed": "NORMAL_TEMPORARY_FAILURE"}.get(result, "NORMAL_CLEARING"),
            queue_id=dice.choice(("support", "sales")) if queued else None,
            agent_id=dice.choice(("ann", "bob", "eve", "joe")) if queued and talked else None,
            details=Details(
                hung_up_by=dice.choice(("caller", "callee")), codec="PCMA", gateway=gateway, pdd_ms=pdd,
                ring_ms=dice.randrange(900, 9000), rx_mos=4.5 - dice.random() ** 4,
                wait_ms=waited * 1000 if queued else None, talk_ms=talk * 1000 if queued and talked else None,
            ),
            trunk_legs=[[gateway, int(talked), pdd, 4.5 - dice.random() ** 3 if talked else None]] if gateway else [],
        )  # fmt: skip
        if queued or not talked:
            yield row, Price(cost_micros=0, parts=(), currency="EUR")
        elif dice.random() < 1 / 300:
            reason = "no rate for outbound +882161234" if account == "acme" else "the account has no rate plan"
            yield row, Price(cost_micros=None, parts=(), unrated=reason)
        else:
            yield row, price_of(row, billsec * _MINUTE_MICROS[destination] // 60, "EUR", destination)


def _priced(row: Row) -> Price:
    """Price a recorded call at two cents a minute."""
    parts = tuple(
        PricedCharge(direction=part.direction, number=part.number, seconds=part.seconds, rate="Germany, mobile",
                     cost_micros=part.seconds * 20_000 // 60)
        for part in row.parts or ()
    )  # fmt: skip
    return Price(
        cost_micros=sum(part.cost_micros or 0 for part in parts),
        parts=parts,
        currency="EUR",
        destination="Germany, mobile",
    )


def _overview(page: Page) -> None:
    expect(page.locator("#rankings table").first).to_be_visible()


def _call(page: Page) -> None:
    expect(page.get_by_role("dialog").locator("svg.legs")).to_be_visible()


def _month(page: Page) -> None:
    for title in ("By gateway", "To be settled"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()


def _save(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        _FOLDER / name, optimize=True
    )


def take() -> None:
    """Take all pictures."""
    now = time.time_ns() // 1_000_000
    with (
        tempfile.TemporaryDirectory(prefix="tollbook-pictures-") as folder,
        embedded_postgres(Path(folder) / "postgres") as url,
    ):
        upgrade(url)
        with connect(url, name="pictures", autocommit=True) as database:
            for account in ("acme", "blue-sky", "acct_alpha"):
                tariffs.add_account(database, tariffs.Account(account_id=account, name=account, plan_id=None))
            store(database, *_calls(now))
            key = keys.create(database, account_id=None, scopes=["operator"])[1]
        with connect(url, name="pictures") as database:
            write_batch(database, legs_heard(_RECORDED), FoldSettings(), _priced, Partitions())
            row = database.execute("SELECT call_id FROM call_cdr WHERE account_id = 'acct_alpha'").fetchone()
            assert row is not None
        with connect(url, name="pictures", autocommit=True) as database:
            roll_up(database)
        month = time.strftime("%Y-%m", time.gmtime((now - 8 * MS_PER_DAY) / 1000))
        views = {
            "overview": ("range=168", "#tiles .tile", _overview),
            "call": (f"{_RECORDED_DAY}&call={row[0]}", "dialog[open]", _call),
            "month": (f"view=month&month={month}", "#month-tiles .tile", _month),
        }
        with serving(url, Path(folder) / "serve.log") as server, chromium() as browser:
            site = Site(browser=browser, url=server.url, keys={"operator": key}, now=now)
            for name, (address, shown, reach) in views.items():
                for scheme in ("light", "dark"):
                    for width, height in _SIZES.items():
                        page = site.enter("operator", f"/#{address}", shown=shown, width=width, scheme=scheme)
                        page.set_viewport_size({"width": width, "height": height})
                        reach(page)
                        _save(page, f"dashboard-{name}-{scheme}-{width}.png")
                        page.context.close()
            assert site.complaints == []


if __name__ == "__main__":
    take()
