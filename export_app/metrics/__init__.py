"""What Prometheus reads of the API: requests, what they wait for, and what the database knows of all processes."""
