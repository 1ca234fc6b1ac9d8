"""`tollbook archive verify`: reads the whole archive, says what is damaged, and writes again what PostgreSQL has."""
