"""Figures of runs, from records: each drawn only where records have what it needs, as svg and png."""
