"""`/v1/statements`: what an account's months come to, as issued, and drafts of those that are not."""
