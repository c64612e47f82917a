"""Everything that a user can set. Settings are values: nothing of another layer is built here."""
