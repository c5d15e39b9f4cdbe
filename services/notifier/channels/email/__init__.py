"""E-mail: writing messages and sending them over SMTP."""
