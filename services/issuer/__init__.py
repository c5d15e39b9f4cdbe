"""Issuer: decides awards, signs credentials, keeps their status and the catalogue."""
