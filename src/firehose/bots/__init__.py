"""Chat bots that run in somebody else's program and speak to the hub by its API alone."""
