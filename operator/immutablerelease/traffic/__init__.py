"""Routes: where the traffic of a release goes, as objects of the cluster."""
