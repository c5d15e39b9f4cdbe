"""Canonical RDF by shape: derived once through the library, then string substitution that gives the same bytes.

A shape is everything of a document but the texts and identifiers that may change without changing what the document
means; an edition leaves only those open that do change among the awards of one achievement. `text` cuts a document's
JSON at its quotes, `places` puts stand-ins into it, `lines` reads off what became of them, and of that `derivation`
makes a shape. `guard` tells whether a document has it, and `shape` applies it; `cache` keeps shapes, `editions` keeps
editions, and what both answer is a document that is `known`.
"""
