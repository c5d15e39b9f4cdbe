"""Awards: lists of what an issuer has awarded, with the evidence that each rests on."""
