"""One line per check, as tests/run.sh counts them, and the settings that it passes."""

import os
import pathlib
import subprocess
import sys

WEIR = os.environ["WEIR_BIN"]
DATA = pathlib.Path(os.environ["WEIR_DATA"])
SCRATCH = pathlib.Path(os.environ["WEIR_SCRATCH"])
VENV_PYTHON = os.environ.get("WEIR_VENV_PYTHON", "")  # empty where PyPI cannot be reached
FULL = os.environ.get("WEIR_TEST_FULL", "") == "1"

_failures = 0


def ok(name):
    print(f"ok {name}", flush=True)


def not_ok(name, reason):
    global _failures
    _failures += 1
    print(f"not ok {name}: {' '.join(str(reason).split())}", flush=True)


def skip(name, reason):
    print(f"skip {name}: {reason}", flush=True)


def check(name, problems):
    """Passes where the list of problems is empty."""
    if problems:
        not_ok(name, "; ".join(problems))
    else:
        ok(name)


def finish():
    sys.exit(1 if _failures else 0)


def run(*command, seconds=120):
    """Runs a program; returns (what it printed, what it complained). Raises RuntimeError where it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise RuntimeError(f"{os.path.basename(str(command[0]))} exits with {done.returncode}: {said[-300:]}")
    return done.stdout, done.stderr


def weir(*arguments):
    return run(WEIR, *arguments)
