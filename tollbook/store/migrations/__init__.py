"""The schema's history, in hand-written SQL: autogenerate would propose to drop the partitions."""
