"""Names and addresses of learners."""
