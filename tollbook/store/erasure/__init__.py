"""What an erasure removes from PostgreSQL, and the receipts of erasures."""
