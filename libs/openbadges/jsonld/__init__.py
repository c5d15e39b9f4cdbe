"""JSON-LD: bundled contexts, expansion, RDF, canonicalization (RDFC-1.0, JCS), compiled templates."""
