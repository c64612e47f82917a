"""The heart: journeys as a fold over the set of a person's signals."""
