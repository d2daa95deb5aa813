"""Families that have programs of their own, which print their tables: Zarr, headers of TIFFs, and what the framework itself costs."""

import os
import pathlib


def zarr(bench):
    """zarr_bench.py, in the peers' Python."""
    family = bench.family("zarr", "Arrays beside zarr (batched and fused), zarrs and tensorstore: zarr_bench.py.")
    tool = bench.build / "tests" / "zarr_tool_child"
    script = [bench.python, bench.here / "zarr_bench.py", tool, bench.folder / "zarr"]
    size = ["--mib", "16", "--repeats", "1"] if bench.quick else ["--repeats", "3"]
    if not tool.exists():
        print(f"zarr: {tool} is not there", flush=True)
        return
    for rows in ("^raw", "^zstd", "^gzip", "^blosc", "alone|one cell|memory") if bench.full else ("^zstd 1, 16 KiB" if bench.quick else "512 KiB, (chunks|shards)", "alone|one cell"):
        family.program(f"rows {rows}", [*script, "--rows", rows, *size])
    if not bench.quick:
        family.program("behind a latency", [bench.program("zarr_latency_bench")])


def headers(bench):
    """header_bench on local files; with BENCH_TIFF_DUMPER (a Python that has it, PyYAML and pyarrow) and nginx, whole catalogs."""
    family = bench.family("headers", "TIFF headers: local files with libtiff, tifffile, rasterio and GDAL (microseconds a file), and buckets beside tiff-dumper.")
    folder = bench.folder / "headers"
    if family.wants("local files"):
        bench.run([bench.program("header_bench"), "make", folder, "200" if bench.quick else "2000"])
        family.program("local files", [bench.program("header_bench"), folder, "2" if bench.quick else "5"])
        family.program("local files, other programs", ["/usr/bin/python3", str(bench.here / "header_bench.py"), folder, bench.python])
    dumper = os.environ.get("BENCH_TIFF_DUMPER")
    if dumper and pathlib.Path(dumper).exists():
        count = "200" if bench.quick else "2000"
        for latency in ("0",) if bench.quick else ("0", "50"):
            family.program(f"buckets, {latency} ms", [bench.python, bench.here / "headers_bench.py", bench.weir, dumper, bench.folder / "bucket", count, "100", "COG", latency])
    else:
        print("headers: BENCH_TIFF_DUMPER names no Python with tiff-dumper: no buckets", flush=True)
    if not bench.quick:
        family.program("rows to Parquet", [bench.program("catalog_bench"), "200000"])


def engine(bench):
    family = bench.family("engine", "What an item costs, what a small graph costs, how a graph scales.")
    family.program("items and graphs", [bench.program("engine_bench"), "1" if bench.quick else "7"])
    family.program("writes beside plain loops", [bench.program("overlap_bench"), str(bench.folder), "2048" if bench.quick else "8192", "1" if bench.quick else "3"])
    family.program("overview kernels", [bench.program("reduce_bench")])
