"""The matrix: sample type x samples x codec x predictor x layout x planes x classic or BigTIFF x size x threads and budget. Each
file has the source's values, bit for bit, for GDAL, rasterio, tifffile and libtiff's tiffinfo, and the same bytes when it is written
once more with other threads and another budget. Every run takes a choice in which all pairs meet, and every type with every codec
and predictor; --full takes the whole matrix."""

import concurrent.futures
import json
import re
import subprocess
import sys

import numpy

from support import canonical, checks, pairwise, plain_tiff

SUPPORT = checks.pathlib.Path(__file__).parent / "support"

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64",
         "complex_int16", "complex_int32", "complex64", "complex128"]
LERC_TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
PREDICTED = ["deflate", "zstd", "lzw", "lzma"]
CODECS = {"none": [], "deflate": [], "zstd": [], "lzw": [], "packbits": [], "lzma": ["--level", "1"], "lerc": [],
          "webp": ["--lossless"]}
# (threads, budget) of the first write and of the second; "least" is the smallest budget that works.
PLACES = [("1", "least", "8", "1G"), ("2", "1G", "1", "1G"), ("8", "least", "2", "64M"), ("2", "least", "8", "least")]

BOUND = {  # by what TIFF and the codecs can say
    "type": TYPES,
    "samples": [1, 2, 3, 4],
    "codec": list(CODECS),
    "predictor": ["1", "2", "3"],
    "interleave": ["pixel", "band"],
}
FREE = {
    "layout": ["--tile 16", "--tile 64x48", "--tile 256", "--strip 1", "--strip 7", "--strip 100000"],
    "bigtiff": ["no", "yes"],
    "size": [(1, 1), (17, 33), (64, 96), (301, 257)],
    "place": PLACES,
}
# Crossed with everything they would make 200,000 files: in the whole matrix these go round.
TURNS = ["bigtiff", "size", "place"]


def is_complex(name):
    return name.startswith("complex")


def fits(row):
    """What TIFF and the codecs can say at all; the refusals have tests of their own."""
    if row["predictor"] != "1" and (row["codec"] not in PREDICTED or is_complex(row["type"])):
        return False
    if row["predictor"] == "3" and not row["type"].startswith("float"):
        return False
    if row["codec"] == "lerc" and row["type"] not in LERC_TYPES:
        return False
    if row["codec"] == "webp" and (row["type"] != "uint8" or row["samples"] < 3 or row["interleave"] == "band"):
        return False
    return row["samples"] > 1 or row["interleave"] == "pixel"


def combinations(codecs):
    bound = {**BOUND, "codec": [codec for codec in BOUND["codec"] if codec in codecs]}
    if not checks.FULL:
        return pairwise.pairwise(bound, FREE, fits, together=("type", "codec", "predictor"))
    rows = list(pairwise.whole({**bound, "layout": FREE["layout"]}, fits))
    for number, row in enumerate(rows):
        for step, name in enumerate(TURNS):
            row[name] = FREE[name][(number // (step + 1) + step) % len(FREE[name])]
    return rows


def pixels_of(type_name, samples, size):
    """Smooth with some noise and, in floats, some NaNs and infinities: (rows, columns, samples or twice as many)."""
    rows, columns = size
    random = numpy.random.default_rng(len(type_name) * 1000 + samples * 100 + rows)
    parts = {"complex_int16": "int16", "complex_int32": "int32", "complex64": "float32", "complex128": "float64"}
    dtype = numpy.dtype(parts.get(type_name, type_name))
    depth = samples * 2 if is_complex(type_name) else samples
    row, column, sample = numpy.ogrid[:rows, :columns, :depth]
    smooth = 40 * numpy.sin(row / 9) + 30 * numpy.cos(column / 7) + 3 * sample + random.integers(0, 9, (rows, columns, depth))
    if dtype.kind == "u":
        return (smooth + 100).astype(dtype)
    pixels = smooth.astype(dtype)
    if dtype.kind == "i":
        pixels.flat[0] = numpy.iinfo(dtype).min
    elif rows > 1:
        pixels.flat[:3] = [numpy.nan, numpy.inf, -numpy.inf]
    return pixels


class Sources:
    """Source files by what is in them."""

    def __init__(self):
        self.known = {}

    def get(self, row):
        key = (row["type"], row["samples"], row["size"], row["codec"] == "lerc")
        if key not in self.known:
            pixels = pixels_of(*key[:3])
            if key[3] and pixels.dtype.kind == "f":  # LERC keeps one mask of NaNs for all samples of a pixel
                pixels[numpy.isnan(pixels)] = 0
            path = checks.SCRATCH / f"source_{len(self.known)}.tif"
            name = row["type"]
            if name in ("complex64", "complex128"):
                pixels = pixels.view(numpy.dtype(name))
            photometric = 2 if row["samples"] in (3, 4) and name == "uint8" else 1
            plain_tiff.write(path, pixels, name.startswith("complex_int"), photometric)
            if name.startswith("complex_int"):
                pixels = pixels[..., 0::2] + 1j * pixels[..., 1::2].astype(numpy.float64)
            self.known[key] = (path, canonical.seen(canonical.planes(pixels)))
        return self.known[key]


def least_budget(source, target, flags):
    """The smallest budget: what a run with one byte says."""
    done = subprocess.run([checks.WEIR, "convert", source, target, *flags, "--memory", "1"], capture_output=True, text=True)
    said = re.search(r"smallest that works is .*\((\d+) bytes\)", done.stderr)
    if done.returncode != 2 or not said:
        raise RuntimeError(f"a budget of one byte is answered by: {done.stderr.strip()}")
    return said[1]


def write(number, row, source):
    """Writes twice; returns the path and what is wrong."""
    first, second = (checks.SCRATCH / f"{number}_{which}.tif" for which in "ab")
    flags = ["--compress", row["codec"], *CODECS[row["codec"]], "--predictor", row["predictor"], *row["layout"].split(),
             "--interleave", row["interleave"], "--bigtiff", row["bigtiff"], "--progress", "none", "--quiet"]
    if row["type"] == "float16":
        flags += ["--type", "float16"]
    threads, memory, other_threads, other_memory = row["place"]
    try:
        for path, workers, budget in ((first, threads, memory), (second, other_threads, other_memory)):
            place = ["--threads", workers]
            if budget == "least":
                budget = least_budget(source, path, flags + place)
            checks.weir("convert", source, path, *flags, *place, "--memory", budget)
        if first.read_bytes() != second.read_bytes():
            return first, ["other threads and another budget make other bytes"]
        second.unlink()
        return first, []
    except RuntimeError as error:
        return first, [str(error)]


def libtiff_complains(path):
    """tiffinfo -D decodes every tile; it can complain and still exit with 0."""
    try:
        _, said = checks.run("tiffinfo", "-D", path)
    except RuntimeError as error:
        return str(error)
    return " ".join(line for line in said.splitlines() if line.strip() and "Unknown field with tag" not in line)


def read_all(reader, python, paths):
    printed = ""
    for start in range(0, len(paths), 500):
        printed += checks.run(python, SUPPORT / "wide_pixels.py", reader, *paths[start : start + 500], seconds=1800)[0]
    return [json.loads(line) for line in printed.splitlines()]


def name_of(row):
    rows, columns = row["size"]
    return (f"{row['type']} x{row['samples']} {rows}x{columns} {row['codec']}/{row['predictor']} {row['layout'][2:]} "
            f"{row['interleave']}{' BigTIFF' if row['bigtiff'] == 'yes' else ''} {'/'.join(row['place'])}")


def check_batch(batch, first_number, sources, readers):
    """Writes and reads some of the rows: (row, problems)."""
    for row in batch:
        sources.get(row)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        written = list(pool.map(lambda item: write(first_number + item[0], item[1], sources.get(item[1])[0]), enumerate(batch)))
    results = [(row, path, problems) for row, (path, problems) in zip(batch, written)]
    readable = [(row, path, problems) for row, path, problems in results if not problems]
    paths = [path for _, path, _ in readable]
    for reader, python in readers.items():
        for (row, _, problems), saw in zip(readable, read_all(reader, python, paths)):
            wanted = sources.get(row)[1]
            if "error" in saw:
                problems.append(f"{reader}: {saw['error']}")
            elif saw != wanted and "unreadable" not in saw:
                problems.append(f"{reader} sees {saw}, the source has {wanted}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (_, _, problems), complaint in zip(readable, pool.map(libtiff_complains, paths)):
            if complaint:
                problems.append(f"tiffinfo: {complaint}")
    for path in paths:
        path.unlink()
    return [(row, problems) for row, _, problems in results]


def main():
    readers = {"gdal": sys.executable}
    if checks.VENV_PYTHON:
        readers.update(tifffile=checks.VENV_PYTHON, rasterio=checks.VENV_PYTHON)
    else:
        checks.skip("the matrix for tifffile and rasterio", "PyPI cannot be reached")
    described = json.loads(checks.weir("nodes", "compress_tiles", "--json")[0])
    codecs = next(p["choices"] for p in described["parameters"] if p["name"] == "codec")
    for codec in CODECS:
        if codec not in codecs:
            checks.skip(f"the matrix with {codec}", "it is not built in")

    rows = combinations(codecs)
    sources, batch_size, failed = Sources(), 200, {}
    by_codec = {}
    for start in range(0, len(rows), batch_size):
        for row, problems in check_batch(rows[start : start + batch_size], start, sources, readers):
            by_codec.setdefault(row["codec"], []).append(bool(problems))
            if problems:
                failed.setdefault(row["codec"], []).append(f"{name_of(row)}: {'; '.join(problems)[:300]}")
    print(f"# {len(rows)} combinations, {'the whole matrix' if checks.FULL else 'a pairwise choice'}; readers: tiffinfo, "
          f"{', '.join(readers)}")
    for codec, outcomes in by_codec.items():
        for line in failed.get(codec, []):
            print(f"# {line}")
        checks.check(f"{len(outcomes)} combinations with {codec}",
                     [f"{len(failed[codec])} fail, the first: {failed[codec][0]}"] if codec in failed else [])
    checks.finish()


main()
