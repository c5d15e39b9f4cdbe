"""Canonical RDF by shape: derived once through the library, then string substitution that gives the same bytes.

A shape is everything of a document but the texts and identifiers that may change without changing what the document
means. `text` cuts a document's JSON at its quotes, `derivation` finds a shape, `shape` applies it, `cache` keeps it.
"""
