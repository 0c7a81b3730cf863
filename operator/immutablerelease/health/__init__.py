"""Asks Pods whether they work: single attempts, and the prober that makes them in time."""
