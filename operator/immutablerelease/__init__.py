"""Immutable releases for Kubernetes: verified, versioned, never edited, reverted by themselves."""

__version__ = "0.1.0"
