"""Whose an event is that names a device alone: docs/journeys.md, One person, several devices."""
