"""The notifier's MongoDB collections, one module each; nothing else of the service queries the database."""
