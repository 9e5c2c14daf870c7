"""Sweeps: W&B's sweep files, read here and run with W&B's server or without one."""
