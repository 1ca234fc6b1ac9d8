"""`/v1/agents`: what the agents of an account's queues do, and what their time came to."""
