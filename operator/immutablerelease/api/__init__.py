"""The four kinds of the group `immutablerelease.io` as typed models."""
