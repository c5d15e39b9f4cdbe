"""Deliveries: one per credential and occasion, scheduled, claimed, sent, tried again."""
