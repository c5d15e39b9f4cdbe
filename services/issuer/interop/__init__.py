"""Interoperability instances: the VC API's issuing side, for conformance suites alone and never in production."""
