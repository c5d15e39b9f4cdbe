"""The stack that runs without Docker: MongoDB, Kafka, a mail sink, the services; on loopback, under one directory."""
