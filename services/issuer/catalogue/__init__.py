"""Issuers and achievements: publishing them, and the versions that decide."""
