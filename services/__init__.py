"""The four services. A service imports libs, never another service."""
