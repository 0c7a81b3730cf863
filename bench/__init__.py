"""Measurements of what the operator costs."""
