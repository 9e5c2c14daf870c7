"""Slow twins: methods written out literally, to compare speed with and to check results against."""
