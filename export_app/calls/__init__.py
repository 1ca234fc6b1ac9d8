"""`/v1/calls` and `/v1/calls/{id}`: pages over both tiers."""
