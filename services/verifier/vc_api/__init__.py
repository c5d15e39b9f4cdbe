"""The VC API's verifying calls."""
