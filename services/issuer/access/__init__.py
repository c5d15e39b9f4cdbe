"""Access: API keys of issuers."""
