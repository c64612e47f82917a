"""Customer journeys from a clickstream: which micro-moment every person is in, and a funnel that counts
exactly.
"""
