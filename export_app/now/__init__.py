"""`/v1/now`: what is up at this moment, once or as a stream, and the links that show it of one queue."""
