"""The heart of the program: a person's journeys, as a fold over the set of their signals."""
