// What a user writes on top of the generated client: a walk over pages, a sync, and sums.
import { DefaultService, OpenAPI } from './client/index.ts';

OpenAPI.BASE = process.env.URL!;
OpenAPI.TOKEN = process.env.KEY!;

type Asked = Parameters<typeof DefaultService.listCalls>[0];

async function pages(asked: Asked) {
  const found = [];
  for (;;) {
    const page = await DefaultService.listCalls(asked);
    found.push(page);
    if (!page.next_cursor) return found;
    asked = { cursor: page.next_cursor, limit: 3 };
  }
}

const since = Number(process.env.SINCE);
const walked = (await pages({ limit: 3, order: 'asc', since })).flatMap((page) => page.rows.map((row) => row.call_id));
const synced = await pages({ limit: 3, updatedSince: 0 });
const changed = synced.flatMap((page) => page.rows.map((row) => row.call_id)).sort();
const again = await pages({ cursor: synced.at(-1)!.sync_cursor });
const stats = await DefaultService.sumCalls({ since: new Date(since).toISOString(), groupBy: 'day' });
console.log(JSON.stringify([walked, changed, Boolean(again.at(-1)!.sync_cursor), stats.total.calls]));
