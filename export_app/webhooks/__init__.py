"""`/v1/webhooks`: where an account is told of its calls."""
