"""Domains that the mail of an issuer may go to."""
