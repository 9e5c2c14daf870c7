"""What the harness costs: a case, a table over very many cases, and workers beside one process."""
