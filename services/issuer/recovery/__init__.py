"""Recovery: taking up what was published where the database was set back."""
