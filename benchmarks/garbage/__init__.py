"""What nothing points to any more, in the folders of runs and in the cache."""
