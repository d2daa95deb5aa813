"""Zarr beside PyPI's zarr (its batched and its fused pipeline), zarrs (the Rust pipeline under zarr) and tensorstore, in one run on one
folder. Prints tables in Markdown.

    python tests/bench/zarr_bench.py TOOL FOLDER [--rows PATTERN] [--mib MIB] [--repeats N] [--latency PROGRAM]

TOOL: zarr_tool_child of an optimised build; FOLDER: on tmpfs, so that no disk is measured; PATTERN: a regular expression that rows' names
are searched for ("zstd.*shards", "cell", "alone", "memory"); PROGRAM: zarr_latency_bench, whose rows follow. Needs the wheels zarr, zarrs
and tensorstore; the fused pipeline is there from zarr 3.3 on (Python 3.12).
Medians of runs that take turns, on two threads each, in warm processes, nobody syncs; the ratio is the best peer's time (memory) over
Weir's. Whole arrays of uint16, MIB together: written where nothing was, and read.
"""

import argparse
import json
import os
import pathlib
import random
import re
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

PIPELINES = {"batched": "zarr.core.codec_pipeline.BatchedCodecPipeline", "fused": "zarr.core.codec_pipeline.FusedCodecPipeline",
             "zarrs": "zarrs.ZarrsCodecPipeline"}
if not hasattr(zarr.core.codec_pipeline, "FusedCodecPipeline"):
    del PIPELINES["fused"]
PEERS = [*PIPELINES, "tensorstore"]
COMPRESSORS = {"raw": None, "zstd 1": codecs.ZstdCodec(level=1), "gzip 1": codecs.GzipCodec(level=1),
               "blosc lz4": codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")}
CHUNKS = {"16 KiB": (64, 128), "64 KiB": (128, 256), "512 KiB": (512, 512), "4 MiB": (1024, 2048)}
SIDES = {16: (2048, 4096), 64: (4096, 8192), 128: (8192, 8192), 256: (8192, 16384)}
SHARD = (2048, 4096)
WARM = 3  # times that Weir's process works before and with the one that counts


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def elements(side):
    row, column = numpy.ogrid[: side[0], : side[1]]
    noise = numpy.random.default_rng(1).integers(0, 6, side)
    return (2000 + 800 * numpy.sin(row / 190) + 600 * numpy.cos(column / 230) + noise).astype("uint16")


class Peer:
    """An array of one of the peers, opened in this process."""

    def __init__(self, name, path):
        self.by_tensorstore = name == "tensorstore"
        if self.by_tensorstore:
            context = tensorstore.Context({"data_copy_concurrency": {"limit": 2}, "cache_pool": {"total_bytes_limit": 0}, "file_io_sync": False})
            self.array = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}, open=True, context=context).result()
        else:
            with zarr.config.set({"codec_pipeline.path": PIPELINES[name]}):
                self.array = zarr.open_array(str(path))

    def write(self, where, data):
        if self.by_tensorstore:
            self.array[where].write(data).result()
        else:
            self.array[where] = data

    def read(self, where):
        return self.array[where].read().result() if self.by_tensorstore else self.array[where]


class Bench:
    def __init__(self, settings):
        self.tool, self.folder, self.repeats = settings.tool, settings.folder, settings.repeats
        self.rows, self.latency = re.compile(settings.rows), settings.latency
        self.mib, self.side = settings.mib, SIDES[settings.mib]
        self.raw = self.folder / "elements.raw"

    def wants(self, *names):
        return any(self.rows.search(name) for name in names)

    def by_weir(self, verb, path, raw, **environment):
        """What the tool prints, as numbers."""
        environment = {**os.environ, "THREADS": "2", "SYNC": "0", **{name: str(value) for name, value in environment.items()}}
        done = subprocess.run([self.tool, verb, self.folder / "store", path, str(raw)], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return [float(word) for word in done.stdout.split()]

    def create(self, name, shape, chunk, codec, shard=None):
        path = self.folder / "store" / name
        shutil.rmtree(path, ignore_errors=True)
        shards = tuple(min(a, b) for a, b in zip(shard, shape)) if shard else None
        zarr.create_array(str(path), shape=shape, dtype="uint16", chunks=chunk, compressors=codec, fill_value=0, shards=shards)
        return path

    def head(self, what):
        print(f"\n| {what} | Weir | {' | '.join(PEERS)} | ratio |\n|---|{'---:|' * (len(PEERS) + 2)}", flush=True)

    def row(self, name, figures, digits=1):
        best = min(figures[peer] for peer in PEERS if peer in figures)
        cells = [f"{figures[peer]:.{digits}f}" if peer in figures else "" for peer in ("weir", *PEERS)]
        print(f"| {name} | {' | '.join(cells)} | {best / figures['weir']:.2f} |", flush=True)

    def medians(self, times, digits):
        return {peer: statistics.median(of) * digits for peer, of in times.items() if of}

    def whole(self):
        """Whole arrays."""
        data, is_begun = None, False
        for codec_name, codec in COMPRESSORS.items():
            for chunk_name, chunk in CHUNKS.items():
                for layout in ("chunks", "shards"):
                    names = {verb: f"{codec_name}, {chunk_name}, {layout}, {verb}" for verb in ("write", "read")}
                    if not self.wants(*names.values()) or layout == "shards" and chunk_name == "4 MiB":
                        continue
                    if data is None:
                        data = elements(self.side)
                        data.tofile(self.raw)
                    if not is_begun:
                        self.head(f"{self.mib} MiB, milliseconds")
                        is_begun = True
                    shard = SHARD if layout == "shards" else None
                    times = {verb: {peer: [] for peer in ("weir", *PEERS)} for verb in names}
                    for _ in range(self.repeats):
                        for peer in ("weir", *PEERS):
                            paths = [f"{peer}{number}" for number in range(WARM if peer == "weir" else 1)]
                            for path in paths:
                                self.create(path, self.side, chunk, codec, shard)
                            if peer == "weir":
                                times["write"][peer].append(self.by_weir("write", ",".join(paths), self.raw, REPEAT=WARM)[-1])
                                times["read"][peer].append(self.by_weir("read", paths[0], "-", REPEAT=WARM)[-1])
                                continue
                            array = Peer(peer, self.folder / "store" / paths[0])
                            times["write"][peer].append(timed(lambda: array.write(..., data)))
                            times["read"][peer].append(timed(lambda: array.read(...)))
                    for verb, name in names.items():
                        if self.wants(name):
                            self.row(name, self.medians(times[verb], 1e3))

    def alone(self):
        """Every inner chunk by itself, in random order, one after the other."""
        chunk = CHUNKS["64 KiB"]
        wanted = [name for name in COMPRESSORS if self.wants(f"{name}, inner chunks alone")]
        if not wanted:
            return
        data = elements(self.side)
        order = [(slice(row, row + chunk[0]), slice(column, column + chunk[1]))
                 for row in range(0, self.side[0], chunk[0]) for column in range(0, self.side[1], chunk[1])]
        random.Random(1).shuffle(order)
        self.head(f"{len(order)} inner chunks of 64 KiB, microseconds each")
        for name in wanted:
            self.create("alone", self.side, chunk, COMPRESSORS[name], SHARD)
            Peer("zarrs", self.folder / "store" / "alone").write(..., data)
            times = {peer: [] for peer in ("weir", *PEERS)}
            for _ in range(min(self.repeats, 3)):
                times["weir"].append(self.by_weir("chunks", "alone", "-", REPEAT=WARM)[-1])
                for peer in PEERS:
                    array = Peer(peer, self.folder / "store" / "alone")
                    times[peer].append(timed(lambda: [array.read(where) for where in order]))
            self.row(f"{name}, inner chunks alone, read", self.medians(times, 1e6 / len(order)))

    def cells(self):
        """One cell into a shard of 32,768 inner chunks; Weir: in place, and by a new shard."""
        wanted = [name for name in ("raw", "zstd 1") if self.wants(f"{name}, one cell")]
        if not wanted:
            return
        shape, chunk = (1024, 2048), (8, 8)
        data = elements(shape)
        self.head("one cell into a shard of 32,768 inner chunks, milliseconds")
        said = []
        for name in wanted:
            times = {peer: [] for peer in PEERS}
            for peer in PEERS:
                array = Peer(peer, self.create(peer, shape, chunk, COMPRESSORS[name], shape))
                array.write(..., data)
                for number in range(self.repeats):
                    where = (slice(number * 97, number * 97 + 1), slice(number * 211, number * 211 + 1))
                    times[peer].append(timed(lambda: array.write(where, numpy.full((1, 1), number, "uint16"))))
            for update in ("in place", "copied"):
                self.create("weir", shape, chunk, COMPRESSORS[name], shape)
                Peer("zarrs", self.folder / "store" / "weir").write(..., data)
                settings = {"UPDATE": "in_place"} if update == "in place" else {}
                seconds, requests, bytes_written = self.by_weir("cells", "weir", 200 if update == "in place" else 20, **settings)
                self.row(f"{name}, one cell, {update}", {"weir": seconds * 1e3, **self.medians(times, 1e3)}, 2)
                said.append(f"{name}, {update}: {requests:g} requests (one looks for a journal), {bytes_written:,.0f} bytes written")
        print("\n" + "; ".join(said))

    def memory(self):
        """What a process grows to beyond one that holds the elements and has done nothing."""
        begun = False
        for codec_name in ("raw", "zstd 1"):
            for layout in ("chunks", "shards"):
                for verb in ("write", "read"):
                    name = f"memory, {codec_name}, 512 KiB, {layout}, {verb}"
                    if not self.wants(name):
                        continue
                    if not begun:
                        elements(self.side).tofile(self.raw)
                        self.head(f"{self.mib} MiB, MiB of memory beyond the elements")
                        begun = True
                    peaks = {}
                    for peer in ("weir", *PEERS):
                        path = self.create("memory", self.side, CHUNKS["512 KiB"], COMPRESSORS[codec_name], SHARD if layout == "shards" else None)
                        if verb == "read":
                            Peer("zarrs", path).write(..., numpy.fromfile(self.raw, "uint16").reshape(self.side))
                        if peer == "weir":
                            seen = [self.by_weir(each, "memory", self.raw if verb == "write" else "-", PEAK=1)[-1] for each in ("hold", verb)]
                        else:
                            seen = []
                            for each in ("hold", verb):
                                job = json.dumps({"peer": peer, "path": str(path), "raw": str(self.raw), "side": self.side, "verb": verb, "holds": each == "hold"})
                                done = subprocess.run([sys.executable, __file__, "--child", job], capture_output=True, text=True, check=True)
                                seen.append(float(done.stdout.split()[-1]))
                        peaks[peer] = max(seen[1] - seen[0], 1) / 1024
                    self.row(name, peaks)

    def run(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        zarr.config.set({"async.concurrency": 16, "threading.max_workers": 2})
        if "fused" in PIPELINES:
            zarr.config.set({"codec_pipeline.max_workers": 2})
        versions = {name: __import__("importlib.metadata").metadata.version(name) for name in ("zarr", "zarrs", "tensorstore")}
        print(", ".join(f"{name} {version}" for name, version in versions.items()))
        try:
            self.whole()
            self.alone()
            self.cells()
            self.memory()
        finally:
            shutil.rmtree(self.folder)
        if self.latency and self.wants("latency"):
            print(flush=True)
            subprocess.run([self.latency], check=True)


def child(job):
    """One peer's memory: prints the most that this process had, KiB."""
    zarr.config.set({"async.concurrency": 16, "threading.max_workers": 2})
    side = tuple(job["side"])
    data = numpy.fromfile(job["raw"], "uint16").reshape(side) if job["verb"] == "write" else None
    array = Peer(job["peer"], job["path"])
    if job["holds"]:
        data = numpy.full(side, 1, "uint16") if data is None else data
    elif job["verb"] == "write":
        array.write(..., data)
    else:
        data = array.read(...)
    print(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def main():
    if sys.argv[1:2] == ["--child"]:
        return child(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tool", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", default="")
    parser.add_argument("--mib", type=int, default=64, choices=SIDES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--latency", type=pathlib.Path)
    Bench(parser.parse_args()).run()


main()
