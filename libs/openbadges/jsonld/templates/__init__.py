"""Canonical RDF by template: derived once through the library, then string substitution that gives the same bytes.

A template is everything of a document but the texts and identifiers that may change without changing what the document
means; a specialised template leaves only those open that do change among the awards of one achievement. `tokens` splits
a document's JSON at its quotes, `placeholders` puts placeholders into it, `lines` reads off what became of them, and of
that `derivation` makes a template. `matchers` tell whether a document has it, and `template` applies it; `cache` keeps
templates, `specialised` the specialised ones, and both return a `canonical_document`.
"""
