"""Keys and their identifiers: Ed25519, ECDSA, RSA, multibase, JWK, did:key and did:web."""
