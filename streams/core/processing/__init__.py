"""The way of an event, in one pure step: records in, one batch of effects out.

bytes -> ingest -> moments -> journeys -> funnels -> records to publish, state and checkpoint to keep.
"""
