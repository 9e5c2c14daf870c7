"""Benchmarks of scenes, and their runs."""
