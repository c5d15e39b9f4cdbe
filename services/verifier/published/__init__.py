"""The routes of what is published here: badges, and the DID documents and status lists of their issuers."""
