"""On the path of Ray's workers in a test: they die, -9, when they are about to edit the case that PIVA_POISON names.

Python imports a module of this name when it starts.
"""

import os
import signal
import sys


def _watch(event: str, facts: tuple) -> None:
    if event == "open" and str(facts[0]).endswith(f"{os.environ.get('PIVA_POISON')}.png") and _loads():
        os.kill(os.getpid(), signal.SIGKILL)


def _loads() -> bool:
    """Whether this is a worker of Ray that loads a case's picture; (listing a data set opens all pictures, too)."""
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != "load_image":
        frame = frame.f_back
    return frame is not None and "default_worker.py" in " ".join(sys.orig_argv)


sys.addaudithook(_watch)
