"""What each mean of speed gains, by itself."""
