"""Mutants of the dashboard's scripts: times, filters and the time line of a call."""

from tests.mutants.mutant import Mutant

PAGE = "export_app/pages/dashboard_page"
MODULES = ("tests/integration/export_app/pages/test_dashboard_modules.py",)

ON_SCREEN = ("tests/acceptance/test_accessibility.py",)

BY_KEYS = ("tests/acceptance/test_dashboard_keyboard.py",)

MUTANTS = (
    Mutant(
        path="tollbook/archive/pages.py",
        claim="once matches are known to be few, only the files that have any are read",
        text="                self._sparse = True\n",
        replacement="",
        tests=("tests/integration/export_app/test_tiers.py",),
    ),
    Mutant(
        path=f"{PAGE}/work.js",
        claim="what has no known reason is to be settled, too",
        text="const calls = group.unrated - known;",
        replacement="const calls = known ? 0 : group.unrated;",
        tests=MODULES,
    ),
    Mutant(
        path="export_app/calls/unrated.py",
        claim="why calls have no price is for operators alone",
        text="    identity.require(OPERATOR)\n",
        replacement="",
        tests=("tests/integration/export_app/test_unrated.py",),
    ),
    Mutant(
        path="tollbook/store/calls/unrated.py",
        claim="numbers that begin alike stand together",
        text="short code )?[+]?\\d{4})",
        replacement="short code )?[+]?\\d{9})",
        tests=("tests/integration/export_app/test_unrated.py",),
    ),
    Mutant(
        path="rating/remedy.py",
        claim="a rate that begins after the call is not a missing prefix",
        text='if found["begins"]:',
        replacement="if False:",
        tests=("tests/unit/rating/test_remedy.py",),
    ),
    Mutant(
        path=f"{PAGE}/style.css",
        claim="a field whose parts have the focus is drawn with a ring, too",
        text=":focus-visible, input:focus-within {",
        replacement=":focus-visible {",
        tests=BY_KEYS,
    ),
    Mutant(
        path=f"{PAGE}/dom.js",
        claim="what scrolls is reached by keys",
        text="const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;",
        replacement="const scrolls = false;",
        tests=ON_SCREEN,
    ),
    Mutant(
        path=f"{PAGE}/ranges.js",
        claim="a week begins on Monday",
        text="getUTCDay() + 6) % 7",
        replacement="getUTCDay() + 7) % 7",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/ranges.js",
        claim="a long month so far is compared with the month before, and not with days of its own",
        text="Math.min(since, earlier + now - since)",
        replacement="earlier + now - since",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/ranges.js",
        claim="a bar that the chosen time cuts off is marked",
        text="[times[0] < since, until < end]",
        replacement="[false, until < end]",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/filters.js",
        claim="only sums that are kept are asked for a second time",
        text="every((name) => OF_KEPT_SUMS.includes(name))",
        replacement="every(() => true)",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/legs.js",
        claim="a call that a carrier refused did not move on from it",
        text="other.answered_ts !== null\n      && other.answered_ts < leg.created_ts",
        replacement="other.created_ts < leg.created_ts",
        tests=MODULES,
    ),
    Mutant(
        path=f"{PAGE}/legs.js",
        claim="where nothing says when the queue was left, no time in it is drawn",
        text='call.disposition === "abandoned" ? root.hangup_ts : null',
        replacement="root.hangup_ts",
        tests=MODULES,
    ),
)
