"""`piva watch`: how runs stand while they are written, from their records alone."""
