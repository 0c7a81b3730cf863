"""Decides. A snapshot of what was observed goes in, a plan comes out; no I/O and no clock here."""
