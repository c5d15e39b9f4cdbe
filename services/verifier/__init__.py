"""Verifier: verifies anything and shows it: badge pages, DID documents, status lists."""
