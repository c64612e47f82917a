"""Bytes to an Event or a Rejection, and the partition that a record belongs to."""
