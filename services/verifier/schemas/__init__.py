"""The JSON Schemas of the events that partners read."""
