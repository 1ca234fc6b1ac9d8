"""`tollbook deliver`: tells endpoints of what happened to calls, over HTTP and to NATS."""
