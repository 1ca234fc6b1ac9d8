"""What `tollbook doctor` measures, each by a probe that changes nothing and whose every wait is bounded."""
