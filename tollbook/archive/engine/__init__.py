"""Sums over archived calls, by an engine: DuckDB in this process, or a server that speaks Spark Connect."""
