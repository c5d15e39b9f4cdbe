"""Data Integrity proofs (W3C Data Integrity 1.0): cryptosuites, creating and checking proofs."""
