"""Measurements of the whole, each with a ratio to something measured in the same run."""
