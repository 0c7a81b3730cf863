"""`kubectl immutable`: what the operator knows and does, from a terminal."""
