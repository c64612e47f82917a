"""The topics of an app on a cluster: what they must be, and making them so."""
