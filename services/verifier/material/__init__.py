"""What was published and is kept to verify and show: documents, issuers, achievements, status lists."""
