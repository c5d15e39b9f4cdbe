"""The forms that evidence comes in: each is read into rows."""
