"""The `bowerbird` command: run a service, prepare topics and indexes, print settings, drive the embedded stack."""

__version__ = "0.1.0"
