"""`tollbook rerate`: prices calls again, in both tiers, and keeps the prices that they had."""
