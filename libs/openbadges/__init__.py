"""The credential engine: pure, synchronous, no I/O. Documents, proofs, status lists, DIDs, verification."""
