"""What is asked of the source and of what it stands on before a change is taken: secrets, licences, advisories."""
