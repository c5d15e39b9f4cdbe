"""Verifying what anybody hands in."""
