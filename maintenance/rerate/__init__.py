"""`tollbook rerate`: prices calls again, in both tiers."""
