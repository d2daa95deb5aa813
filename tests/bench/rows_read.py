"""Reads of tiled GeoTIFFs into memory, whole and in windows, and by the command."""

import math

from inputs import raster, shape
from side_by_side import THREADS, at_least, at_most, never_slower

SECONDS = 300
TOOLS = {"GDAL": "gdal", "rasterio": "rasterio", "tifffile": "tifffile", "async-tiff": "async-tiff"}


def windows(bench, kind, size, count, side):
    """The same as limit_bench's: each in a square of the image of its own, so that no cache helps."""
    width, height = shape(bench, kind, size)
    across = math.ceil(math.sqrt(count))
    return [[width // across * (number % across) + 100, height // across * (number // across) + 70, side, side] for number in range(count)]


def read(bench):
    family = bench.family("read", "Into memory that is there (touched before), from the page cache, two threads; in every process the second time counts. Weir is "
                          "`read_geotiff`, for windows `read_region` of an open source. `pure decode / time`: CPU time of a loop that reads and decodes the same "
                          "tiles and does nothing else, spread over the threads. rasterio is the newest GDAL.")
    codecs = (("none", 0), ("zstd", 3), ("deflate", 6), ("lzw", 0))
    rows = [(kind, codec, level, what) for kind in ("uint16", "float32", "uint8x3") for codec, level in codecs for what in ("whole", "windows of 512", "windows of 64")
            if what != "windows of 64" or codec in ("none", "zstd") and kind == "uint16"]
    for kind, codec, level, what in rows:
        name = f"{kind} {codec}{f' {level}' if level else ''}, {what}"
        if not family.wants(name):
            continue
        source = raster(bench, kind, 128, codec, level)
        side = int(what.rpartition(" ")[2]) if what != "whole" else 0
        count = (4 if bench.quick else 49) if side else 0
        parts = windows(bench, kind, 128, count, side) if side else None
        # One run gives both: its figures are Weir's, the loop's are the limit's.
        both = [bench.program("limit_bench"), "read", source, THREADS, *([count, side] if side else [])]
        tools = {"weir": lambda: bench.measure(both)}
        for tool, verb in TOOLS.items():
            tools[tool] = lambda tool=tool, verb=verb: bench.measure(
                bench.peer("read", tool=verb, source=source, windows=parts, threads=THREADS, debian=tool == "GDAL"))

        def bars(medians):
            ours = medians["weir"]
            bars = never_slower(medians)
            if codec == "none":
                return bars + ([at_most("time / plain read", ours["wall"] / ours["plain_wall"], 1.05)] if not side else [])
            if side != 64:
                bars += [at_least("pure decode / time", ours["loop_cpu"] / THREADS / ours["wall"], 0.85)]
                bars += [at_least(f"{tool} / Weir", medians[tool]["wall"] / ours["wall"], 1.5) for tool in ("GDAL", "rasterio") if tool in medians]
            return bars

        family.row("reads into memory", name, tools, bars, SECONDS / len(rows), what="wall s / CPU s / peak MiB")

    for codec, level in (("none", 0), ("zstd", 3)):
        for window in (None, (1000, 1000, 512, 512)):
            name = f"commands: uint16 {codec}, {'a window of 512' if window else 'whole'} to a file"
            if not family.wants(name):
                continue
            source = raster(bench, "uint16", 128, codec, level)
            out = bench.path("out.raw")
            part = ["--window", ",".join(map(str, window))] if window else []
            theirs = ["-srcwin", *window] if window else []
            tools = {"weir": lambda: bench.measure([bench.weir, "read", source, "--output", out, "--memory", "64M", "--threads", THREADS, "--quiet", *part], out),
                     "gdal_translate -of ENVI": lambda: bench.measure(["gdal_translate", "-q", "-of", "ENVI", "-oo", f"NUM_THREADS={THREADS}", *theirs, source, out], out)}
            family.row("reads by commands, into files of rows", name, tools, never_slower, 10)
