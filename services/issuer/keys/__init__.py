"""Signing keys of issuers, sealed at rest under a key-encryption key."""
