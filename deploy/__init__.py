"""Ways to run it: the embedded stack here, containers beside it."""
