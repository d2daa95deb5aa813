"""Families of rows, one after the other, into one folder of results: see run.sh."""

import argparse
import pathlib
import re
import shutil
import sys

import rows_memory
import rows_others
import rows_read
import rows_slope
import rows_write
from side_by_side import Bench, render

FAMILIES = {"read": rows_read.read, "recompress": rows_write.recompress, "slope": rows_slope.slope, "write": rows_write.write,
            "deflate": rows_write.deflate, "memory": rows_memory.ten_times, "large": rows_memory.large, "growth": rows_memory.growth, "cog": rows_write.cog,
            "zarr": rows_others.zarr, "headers": rows_others.headers, "engine": rows_others.engine}


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh")
    parser.add_argument("families", nargs="*", help=" ".join(FAMILIES))
    parser.add_argument("--rows", type=re.compile, default=re.compile(""), metavar="PATTERN")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--folder", default="/dev/shm")
    parser.add_argument("--results", default=str(pathlib.Path(__file__).resolve().parents[2] / "build" / "bench_results"))
    settings = parser.parse_args()
    unknown = set(settings.families) - set(FAMILIES)
    if unknown:
        sys.exit(f"run.sh: there is no family {' '.join(sorted(unknown))}; there are {' '.join(FAMILIES)}")
    bench = Bench(settings)
    try:
        for name in settings.families or FAMILIES:
            FAMILIES[name](bench)
            render(bench.results)
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    print(f"{bench.results}/results.md and results.json")


main()
