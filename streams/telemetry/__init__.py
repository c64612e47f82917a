"""What a worker reports about itself: metrics and log lines."""
