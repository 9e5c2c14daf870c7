"""Tables of runs, from records: worked out once, written as Markdown, LaTeX, CSV, parquet and for the terminal."""
