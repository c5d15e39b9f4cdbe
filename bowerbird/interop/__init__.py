"""`bowerbird interop`: issuing and verifying by the VC API over HTTPS, in one process, for conformance suites."""
