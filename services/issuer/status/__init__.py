"""Status lists: entries for new credentials, and publishing what is revoked."""
