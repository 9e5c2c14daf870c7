"""Runs over benchmarks of pictures."""
