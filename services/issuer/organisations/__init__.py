"""Organisations: the tree of authority, regions and schools, and what becomes of each of them."""
