"""Representations: the differentiable generators g(theta) whose parameters are edited."""
