"""Everything that a user can set. Settings are values: this package builds nothing of another layer."""
