"""The audit log: who changed what, why and when, written before it takes effect, in a chain that shows edits."""
