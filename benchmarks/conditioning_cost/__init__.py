"""What each kind of auxiliary costs, from a small model to a large one."""
