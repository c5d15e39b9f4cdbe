"""Signed documents that change and end: published in versions, and signed again before they end."""
