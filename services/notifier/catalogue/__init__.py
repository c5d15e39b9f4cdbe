"""What the mail's text needs of the catalogue."""
