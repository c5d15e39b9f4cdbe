"""Plumbing, the same for every service: settings, events, Kafka, MongoDB, telemetry, access, errors."""
