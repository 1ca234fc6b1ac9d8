"""The spans of keys that PostgreSQL no longer had when a re-rate read them: it looks for their calls in the archive.

Prune may drop days while a re-rate reads PostgreSQL page by page. Each page is read together with the window's start:
what lies before it, and is not on the page, was pruned by then, and is in the archive. What lies after it was on the
page, and stays repriced whenever it is pruned. So each call is seen once, in one tier or the other. Pure.
"""

from dataclasses import dataclass, replace

from tollbook.model.call_key import CallKey


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySpan:
    """The keys after `after`, up to and including `last`."""

    after: CallKey
    last: CallKey

    def __contains__(self, key: CallKey) -> bool:
        """Return whether a key lies in the span."""
        return self.after < key <= self.last


def add_page(spans: list[KeySpan], page: KeySpan, window_start_ms: int) -> list[KeySpan]:
    """Return the spans with the part of a page that was pruned; `page` follows all that was read before it.

    There are no more spans than prunings that overtook the pages, and one: adjacent ones become one.
    """
    last = min(page.last, CallKey(window_start_ms, "", ""))
    if last <= page.after:
        return spans
    if spans and spans[-1].last == page.after:
        return [*spans[:-1], replace(spans[-1], last=last)]
    return [*spans, KeySpan(after=page.after, last=last)]
