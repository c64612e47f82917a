"""Funnel counters as a sum over transitions."""
