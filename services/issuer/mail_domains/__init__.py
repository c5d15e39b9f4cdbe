"""Domains that the mail of an issuer may go to, as its administrator has set them."""
