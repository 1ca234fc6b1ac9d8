-- Which account has enough rows waiting, or old enough ones, is asked every few minutes, of millions of them: this index
-- answers alone. It takes the place of the one on since, so that a row costs the listener no more than before.
DROP INDEX archive_outbox_waiting;
CREATE INDEX archive_outbox_account ON archive_outbox (account_id, since) WHERE batch_id IS NULL;
