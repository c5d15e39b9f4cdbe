"""Batches of evidence: uploads, their rows, and what became of each."""
