"""Decodes records that need the schema of a registry: Avro and Protobuf, as Confluent's serializers write
them.
"""
