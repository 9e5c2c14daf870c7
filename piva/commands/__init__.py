"""One file per command of `piva`; each has `main(arguments) -> exit code`.

These files belong to the command line, and like `piva/cli.py` may import benchmarks/ and reports/, inside functions.
"""
