-- The order in which a sync reads. A B-tree on a column that every update changes rules out HOT updates; there are
-- next to none to lose (3 % measured: a page is full of other calls by the time one of its calls ends), and what it
-- costs the upsert is within the noise (docs/performance.md). For BRIN a page of changes would read all that changed since.
CREATE INDEX call_cdr_changed ON call_cdr (changed, account_id);

-- The networks that a key may be used from; NULL: all.
ALTER TABLE api_key ADD COLUMN networks cidr[];

-- Whoever was granted these tables goes on seeing all of them; `tollbook.store.access` adds what restricts the role
-- tollbook_api alone. The owner, and so the listener, is not checked.
ALTER TABLE call_cdr ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_number ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON call_cdr USING (true);
CREATE POLICY everyone ON call_leg USING (true);
CREATE POLICY everyone ON account USING (true);
CREATE POLICY everyone ON account_number USING (true);
