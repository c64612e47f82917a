"""A worker on Kafka: shares an app's partitions with other workers, and runs an agent for each that is its own."""
