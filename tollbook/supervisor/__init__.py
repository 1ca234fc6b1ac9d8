"""`tollbook run`: every process and timer in one supervised group, for machines without systemd."""
