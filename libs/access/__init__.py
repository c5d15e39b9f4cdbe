"""Who may do what: API keys, their tenant and scopes."""
