"""`/v1/queues`: the figures of queues, by the names that sip.io has for them."""
