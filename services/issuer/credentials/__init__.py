"""Credentials: building, signing, announcing and revoking them."""
