"""Cameras, rays, fields and volume rendering."""
