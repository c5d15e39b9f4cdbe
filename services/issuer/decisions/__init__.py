"""Decisions: what each piece of evidence earns, by rules, and the record of it."""
