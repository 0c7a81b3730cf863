"""Observes the cluster, applies plans to it, and tells about itself."""
