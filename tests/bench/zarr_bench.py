"""Zarr reads and writes beside PyPI's zarr, zarrs (its Rust pipeline under zarr) and tensorstore, in one run on one folder.

    python tests/bench/zarr_bench.py TOOL FOLDER [MIB] [REPEATS]

TOOL: zarr_tool_child of an optimised build; FOLDER: on tmpfs, so that no disk is measured. Needs the wheels zarr, zarrs and tensorstore.
Each row: medians of interleaved runs in milliseconds, on two threads each, nobody syncs; the ratio is the best peer's time over
Weir's. Whole arrays of uint16, written and read; chunks of one array are MIB together.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy
import tensorstore
import zarr
import zarrs  # registers its pipeline
from zarr import codecs

TOOL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
MIB = int(sys.argv[3]) if len(sys.argv) > 3 else 64
REPEATS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
SIDE = {64: (4096, 8192), 128: (8192, 8192), 256: (8192, 16384), 16: (2048, 4096)}[MIB]

COMPRESSORS = {
    "raw": None,
    "zstd 1": codecs.ZstdCodec(level=1),
    "gzip 1": codecs.GzipCodec(level=1),
    "blosc lz4": codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
}
CHUNKS = {"16 KiB": (64, 128), "64 KiB": (128, 256), "512 KiB": (512, 512), "4 MiB": (1024, 2048)}


def elements():
    row, column = numpy.ogrid[: SIDE[0], : SIDE[1]]
    random = numpy.random.default_rng(1)
    surface = 2000 + 800 * numpy.sin(row / 190) + 600 * numpy.cos(column / 230)
    return (surface + random.integers(0, 6, SIDE)).astype("uint16")


def tool(verb, path, raw):
    environment = {**os.environ, "THREADS": "2", "REPEAT": "3", "SYNC": "0"}
    done = subprocess.run([TOOL, verb, str(FOLDER / "store"), path, str(raw)], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])  # a warm process, as the peers' is


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def by_tensorstore(path):
    context = tensorstore.Context({"data_copy_concurrency": {"limit": 2}, "file_io_concurrency": {"limit": 2}, "cache_pool": {"total_bytes_limit": 0},
                                   "file_io_sync": False})
    return tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}, open=True, context=context).result()


def main():
    data = elements()
    raw = FOLDER / "elements.raw"
    FOLDER.mkdir(parents=True, exist_ok=True)
    data.tofile(raw)
    zarr.config.set({"async.concurrency": 16, "threading.max_workers": 2})
    print(f"{'':34}{'Weir':>9}{'zarr':>9}{'zarrs':>9}{'tensorst.':>10}{'ratio':>8}")
    for (codec_name, codec) in COMPRESSORS.items():
        for chunk_name, chunk in CHUNKS.items():
            for shard in (None, (2048, 4096)):
                if shard and chunk_name == "4 MiB":
                    continue
                arguments = dict(shape=SIDE, dtype="uint16", chunks=chunk, compressors=codec, fill_value=0)
                if shard:
                    arguments["shards"] = tuple(min(a, b) for a, b in zip(shard, SIDE))
                times = {(peer, verb): [] for peer in ("weir", "zarr", "zarrs", "tensorstore") for verb in ("write", "read")}
                for _ in range(REPEATS):
                    for peer in ("weir", "zarr", "zarrs", "tensorstore"):
                        path = FOLDER / "store" / peer
                        shutil.rmtree(path, ignore_errors=True)
                        zarr.create_array(str(path), **arguments)
                        if peer == "weir":
                            times[peer, "write"].append(tool("write", peer, raw))
                            times[peer, "read"].append(tool("read", peer, "-"))
                            continue
                        if peer == "tensorstore":
                            array = by_tensorstore(path)
                            times[peer, "write"].append(timed(lambda: array.write(data).result()))
                            times[peer, "read"].append(timed(lambda: array.read().result()))
                            continue
                        pipeline = "zarrs.ZarrsCodecPipeline" if peer == "zarrs" else "zarr.core.codec_pipeline.BatchedCodecPipeline"
                        with zarr.config.set({"codec_pipeline.path": pipeline}):
                            array = zarr.open_array(str(path))

                            def write():
                                array[...] = data

                            times[peer, "write"].append(timed(write))
                            times[peer, "read"].append(timed(lambda: array[...]))
                for verb in ("write", "read"):
                    median = {peer: statistics.median(times[peer, verb]) * 1000 for peer in ("weir", "zarr", "zarrs", "tensorstore")}
                    best = min(value for peer, value in median.items() if peer != "weir")
                    name = f"{codec_name}, {chunk_name}, {'shards' if shard else 'chunks'}, {verb}"
                    print(f"{name:34}{median['weir']:9.1f}{median['zarr']:9.1f}{median['zarrs']:9.1f}{median['tensorstore']:10.1f}{best / median['weir']:8.2f}",
                          flush=True)
    shutil.rmtree(FOLDER)


main()
