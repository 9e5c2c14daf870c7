"""What is looked at before any work of a run."""
