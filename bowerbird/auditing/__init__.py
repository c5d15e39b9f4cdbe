"""Holding the stores, topics and mailbox against promises 1 to 3: nothing lost, nothing twice, the numbers add up."""
