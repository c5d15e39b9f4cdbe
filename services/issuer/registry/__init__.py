"""The signed list of the issuers that are registered here, for others to trust."""
