"""Verifying: from what was handed in to a report of named checks."""
