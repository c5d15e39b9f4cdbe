"""Issuing: achievements, building credentials and records, prepare and sign, presentations."""
