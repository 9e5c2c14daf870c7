"""Auxiliary models psi and phi: adapters of the prior, trained beside the edit."""
