"""What the services share: plumbing (`common`) and the credential engine (`openbadges`)."""
