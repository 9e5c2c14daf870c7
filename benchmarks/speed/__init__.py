"""How fast edits are: against public code's way of doing them, and against the UNet rows alone."""
