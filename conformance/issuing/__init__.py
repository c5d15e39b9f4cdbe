"""The VC API's issuing side: instances that sign what they are sent, for conformance suites alone."""
