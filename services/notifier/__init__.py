"""Notifier: tells learners, one e-mail per credential and occasion."""
