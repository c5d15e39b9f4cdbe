"""The ways in which a learner is told."""
