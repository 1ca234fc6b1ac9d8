"""The pages for people: the dashboard at `/` and the API reference at `/v1/docs`."""
