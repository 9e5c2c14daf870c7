"""Piva: editing images and radiance fields by score distillation.

Nothing is imported here, so that `import piva` and the command line's help cost nothing.
"""

__version__ = "0.1.0"
