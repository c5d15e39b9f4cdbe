"""The VC API for third-party conformance suites: issuing and verifying in one process, never part of production."""
