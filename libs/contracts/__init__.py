"""What services tell each other: events, their topics, deterministic ids, results; CloudEvents on Kafka records."""
