"""What a user writes on top of the generated client: a walk over pages, a sync, and sums."""

import datetime as dt
import json
import os
import sys

from tollbook_client import AuthenticatedClient
from tollbook_client.api.default import list_calls, sum_calls
from tollbook_client.models import CallPage, ListCallsOrder

client = AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["KEY"], raise_on_unexpected_status=True)
since = int(os.environ["SINCE"])


def pages(**asked):
    while asked:
        page = list_calls.sync(client=client, **asked)
        assert isinstance(page, CallPage), page
        yield page
        asked = {"cursor": page.next_cursor, "limit": 3} if page.next_cursor else {}


walked = [row.call_id for page in pages(limit=3, order=ListCallsOrder.ASC, since=since) for row in page.rows]
synced = list(pages(limit=3, updated_since=0))
changed = sorted(row.call_id for page in synced for row in page.rows)
again = list(pages(cursor=synced[-1].sync_cursor))
stats = sum_calls.sync(client=client, since=dt.datetime.fromtimestamp(since / 1000, dt.UTC), group_by="day")
json.dump([walked, changed, bool(again[-1].sync_cursor), stats.total.calls], sys.stdout)
