"""A simulated FreeSWITCH: plays recorded calls to Event Socket clients over a real TCP socket."""
