"""Fuzzing of every parser that eats bytes from a registry: `python -m tests.fuzz`."""
