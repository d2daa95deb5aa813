"""Files that `weir convert` writes are read by GDAL, tifffile, rasterio, libvips and libtiff's tiffinfo, and all see
the pixels that GDAL sees in the source."""

import hashlib
import itertools
import json
import shutil
import sys

import numpy

from support import checks

SUPPORT = checks.pathlib.Path(__file__).parent / "support"


def read_all(reader, python, paths):
    """What `reader` sees in each file."""
    printed, _ = checks.run(python, SUPPORT / "pixels.py", reader, *paths, seconds=1200)
    return [json.loads(line) for line in printed.splitlines()]


def complaints_in(text):
    """What libtiff says beyond not knowing the tags of GeoTIFF and GDAL, which are not in its own table."""
    lines = [line for line in text.splitlines() if line.strip() and "Unknown field with tag" not in line]
    return " ".join(lines)


def vips_sees(path, like):
    """libvips' pixels, in the form of pixels.py; it gives raw interleaved samples, so type and shape come along."""
    raw = checks.SCRATCH / "vips.raw"
    try:
        _, said = checks.run("vips", "rawsave", path, raw)
    except RuntimeError as error:
        return {"error": str(error)}
    if complaints_in(said):
        return {"error": complaints_in(said)}
    samples, height, width = like["shape"]
    pixels = numpy.fromfile(raw, dtype=like["type"])
    if pixels.size != samples * height * width:
        return {"error": f"{pixels.size} samples"}
    planes = numpy.ascontiguousarray(numpy.moveaxis(pixels.reshape(height, width, samples), -1, 0))
    return {**like, "hash": hashlib.sha256(planes.tobytes()).hexdigest()}


def tiffinfo_complains(path):
    """tiffinfo -D decodes everything; it can complain and still exit with 0."""
    try:
        _, said = checks.run("tiffinfo", "-D", path)
    except RuntimeError as error:
        return str(error)
    return complaints_in(said)


def differences(reader, seen, wanted):
    """One line for each thing that a reader sees otherwise."""
    if "error" in seen:
        return [f"{reader}: {seen['error']}"]
    return [
        f"{reader} sees {key} {seen.get(key)}, the source has {wanted[key]}"
        for key in wanted
        if seen.get(key) != wanted[key]
    ]


def variants():
    """(name, source, flags): type x codec x predictor x layout; tile shapes, BigTIFF and budgets take turns."""
    sources = {
        "uint8 scene": (checks.DATA / "L7_ETMs.tif", (1, 2)),
        "uint16 terrain": ("terrain:1000x700:uint16", (1, 2)),
        "float32 elevation": (checks.DATA / "olinda_dem_utm25s.tif", (1, 3)),
        "float32 terrain": ("terrain:1000x700", (1, 3)),
    }
    tiles = itertools.cycle([["--tile", "256"], ["--tile", "64x128"], ["--tile", "512x16"]])
    strips = itertools.cycle([["--strip", "37"], ["--strip", "1"], ["--strip", "1000"]])
    extras = itertools.cycle([[], ["--bigtiff", "yes"], ["--memory", "64M", "--threads", "2"], ["--threads", "1"],
                              ["--tokens", "1"]])
    for name, (source, predictors) in sources.items():
        for codec in ("none", "deflate", "zstd", "lzw", "packbits"):
            for predictor in predictors if codec not in ("none", "packbits") else (1,):
                if checks.FULL:
                    layouts = [next(tiles) for _ in range(3)] + [next(strips) for _ in range(3)]
                else:
                    layouts = [next(tiles), next(strips)]
                for layout in layouts:
                    flags = ["--compress", codec, *layout, *next(extras)]
                    if predictor != 1:
                        flags += ["--predictor", str(predictor)]
                    yield f"{name}, {' '.join(flags)}", source, flags


def main():
    readers = {"gdal": sys.executable}
    if checks.VENV_PYTHON:
        readers.update(tifffile=checks.VENV_PYTHON, rasterio=checks.VENV_PYTHON)
    else:
        checks.skip("tifffile agrees", "PyPI cannot be reached")
        checks.skip("rasterio agrees", "PyPI cannot be reached")

    files = []  # (name, source, path)
    for number, (name, source, flags) in enumerate(variants()):
        path = checks.SCRATCH / f"{number}.tif"
        try:
            checks.weir("convert", source, path, *flags, "--progress", "none")
            files.append((name, source, path))
        except RuntimeError as error:
            checks.not_ok(name, error)

    # A made-up raster has no file: an uncompressed one stands for it, written once in the plainest way.
    originals = {}
    for source in {source for _, source, _ in files}:
        path = source
        if str(source).startswith("terrain:"):
            path = checks.SCRATCH / f"original_{len(originals)}.tif"
            checks.weir("convert", source, path, "--compress", "none", "--strip", "1000", "--progress", "none")
        originals[source] = read_all("gdal", sys.executable, [path])[0]

    paths = [path for _, _, path in files]
    seen = {reader: read_all(reader, python, paths) for reader, python in readers.items()}
    for number, (name, source, path) in enumerate(files):
        original = originals[source]
        pixels = {key: value for key, value in original.items() if key != "place"}
        problems = differences("gdal", seen["gdal"][number], original)
        for reader in readers:
            if reader != "gdal":
                problems += differences(reader, seen[reader][number], pixels)
        problems += differences("vips", vips_sees(path, pixels), pixels)
        complaint = tiffinfo_complains(path)
        if complaint:
            problems.append(f"tiffinfo: {complaint}")
        checks.check(name, problems)
    checks.finish()


if shutil.which("vips") is None or shutil.which("tiffinfo") is None:
    sys.exit("vips and tiffinfo are needed (Debian: libvips-tools, libtiff-tools)")
main()
