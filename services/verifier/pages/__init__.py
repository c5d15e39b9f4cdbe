"""Pages for people: badges, achievements, errors."""
