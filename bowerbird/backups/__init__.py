"""Backups: every database as it was at one moment, written to files and read back into empty stores."""
