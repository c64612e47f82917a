"""An Event to the moment that it shows, by rules that are data."""
