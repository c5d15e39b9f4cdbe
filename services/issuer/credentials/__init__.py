"""Credentials: building, signing, announcing, revoking them and taking them down."""
