"""Credential status: Bitstring Status List 1.0, entries, and checks of every kind of status."""
