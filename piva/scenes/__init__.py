"""Captured scenes: reconstructed, edited, evaluated."""
