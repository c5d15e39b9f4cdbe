"""Achievements as files: a folder of them read strictly, compared with what is published, and published."""
