"""Weir's arrays from Python: tests/zarr_tool_child, raw elements in files."""

import json
import os
import pathlib
import subprocess

import numpy

from support import checks

TOOL = pathlib.Path(checks.WEIR).parent.parent / "tests" / "zarr_tool_child"


def selection_text(slices, shape):
    return ",".join(f"{s.start}:{len(range(*s.indices(extent)))}:{s.step or 1}" for s, extent in zip(slices, shape))


def read(folder, path, dtype, shape, slices=None):
    raw = checks.SCRATCH / "elements.raw"
    words = [TOOL, "read", folder, path, raw]
    if slices:
        words.append(selection_text(slices, shape))
        shape = tuple(len(range(*s.indices(extent))) for s, extent in zip(slices, shape))
    checks.run(*words)
    return numpy.fromfile(raw, dtype=numpy.dtype(dtype).newbyteorder("=")).reshape(shape)


def write(folder, path, elements, slices=None, shape=None, in_place=False):
    raw = checks.SCRATCH / "elements.raw"
    numpy.ascontiguousarray(elements, dtype=elements.dtype.newbyteorder("=")).tofile(raw)
    words = [TOOL, "write", folder, path, raw]
    if slices:
        words.append(selection_text(slices, shape))
    os.environ.pop("UPDATE", None)
    if in_place:
        os.environ["UPDATE"] = "in_place"
    checks.run(*words)


def copy(folder, path, to, shard=None, format=None):
    """Puts the stored chunks into a new array; how many there were."""
    if format:
        os.environ["FORMAT"] = str(format)
    words = [TOOL, "copy", folder, path, to] + ([",".join(map(str, shard)) or "none"] if shard is not None else [])
    try:
        return int(checks.run(*words)[0])
    finally:
        os.environ.pop("FORMAT", None)


def validated(path):
    """The errors that weir validate finds, every chunk decoded, and its notes."""
    done = subprocess.run([checks.WEIR, "validate", "--decode", "--json", str(path)], capture_output=True, text=True, timeout=120)
    said = json.loads(done.stdout)[0]
    if said["valid"] != (done.returncode == 0):
        raise RuntimeError(f"exit code {done.returncode}, valid {said['valid']}, {done.stderr}")
    return [f"{problem['name']} {problem['item']}: {problem['text']}" for problem in said["problems"] if problem["severity"] == "error"], said["notes"]


def faults(path):
    return validated(path)[0]


def create(folder, path, metadata):
    file = checks.SCRATCH / "metadata.json"
    file.write_text(metadata)
    checks.run(TOOL, "create", folder, path, file)


def same(left, right):
    """Bit for bit: NaN payloads and the sign of zeros count."""
    return left.shape == right.shape and left.astype(left.dtype.newbyteorder("=")).tobytes() == right.astype(
        right.dtype.newbyteorder("=")).tobytes()


def elements_of(dtype, shape, seed):
    random = numpy.random.default_rng(seed)
    dtype = numpy.dtype(dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.kind == "c":
        return (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(dtype)
    if dtype.kind == "f":
        elements = (random.normal(size=shape) * 100).astype(dtype)
        if elements.size > 3:
            elements.flat[1] = numpy.nan
            elements.flat[2] = -0.0
        return elements
    limits = numpy.iinfo(dtype)
    elements = random.integers(0, 500, shape).astype(dtype)
    if elements.size > 3:
        elements.flat[1] = limits.max
        elements.flat[2] = limits.min
    return elements
