"""Organisations from a file: read strictly, compared with what is there, and made so."""
