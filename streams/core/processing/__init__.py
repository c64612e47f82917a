"""The pure step of a partition: records go in, and one batch of effects comes out.

bytes -> ingest -> moments -> journeys -> funnels -> records to publish, state and checkpoint to keep.
"""
