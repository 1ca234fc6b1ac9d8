"""PostgreSQL: all SQL, the schema, and the translation of the driver's errors into ours."""
