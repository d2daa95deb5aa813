"""Arrays that Weir wrote, v3 (shards included) and v2, with every codec that zarrita has: zarrita of npm reads the same elements."""

import itertools
import json
import pathlib
import re
import shutil
import subprocess

import numpy

from support import checks, zarr_tool

VERSION = "0.7.5"
FOLDER = pathlib.Path(checks.WEIR).parents[1] / "zarrita"  # of the build
SCRIPT = pathlib.Path(__file__).parent / "support" / "zarrita_reads.mjs"
UNREACHABLE = r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|CERT|SSL"

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
CRC32C = {"name": "crc32c"}


def blosc(name, shuffle, size):
    return {"name": "blosc", "configuration": {"cname": name, "clevel": 5, "shuffle": shuffle, "typesize": size, "blocksize": 0}}


COMPRESSORS = {
    "raw": lambda size: [],
    "gzip": lambda size: [{"name": "gzip", "configuration": {"level": 5}}],
    "zstd": lambda size: [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
    "blosc lz4": lambda size: [blosc("lz4", "shuffle", size)],
    "blosc zstd bits": lambda size: [blosc("zstd", "bitshuffle", size)],
    "crc32c": lambda size: [CRC32C],
    "zstd crc32c": lambda size: [{"name": "zstd", "configuration": {"level": 1, "checksum": True}}, CRC32C],
}
V2_COMPRESSORS = {"raw": None, "zlib": {"id": "zlib", "level": 5}, "gzip": {"id": "gzip", "level": 5}, "zstd": {"id": "zstd", "level": 3},
                  "lz4": {"id": "lz4", "acceleration": 1}, "blosc": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}}
LAYOUTS = {  # shape, chunk, shard; zarrita looks for an index at the end alone
    "1-d": ((101,), (20,), None),
    "2-d": ((37, 53), (16, 20), None),
    "3-d": ((7, 20, 33), (3, 8, 11), None),
    "0-d": ((), (), None),
    "shards": ((37, 53), (4, 5), (16, 20)),
    "3-d shards": ((7, 20, 33), (2, 4, 5), (4, 8, 15)),
}
# Node has no 16-bit floats before version 24, and zarrita no complex numbers.
TYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def v3(dtype, layout, compressor, big, transposed):
    shape, chunk, shard = LAYOUTS[layout]
    size = numpy.dtype(dtype).itemsize
    chain = [{"name": "bytes"} if size == 1 else BIG if big else BYTES, *COMPRESSORS[compressor](size)]
    if transposed and len(shape) > 1:
        chain.insert(0, {"name": "transpose", "configuration": {"order": list(reversed(range(len(shape))))}})
    if shard:
        chain = [{"name": "sharding_indexed", "configuration": {"chunk_shape": chunk, "codecs": chain, "index_codecs": [BYTES, CRC32C], "index_location": "end"}}]
    return {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype, "fill_value": False if dtype == "bool" else 0,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard or chunk}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "codecs": chain, "attributes": {}}


def v2(dtype, layout, compressor, order, separator, big):
    shape, chunk = LAYOUTS[layout][:2]
    return {"zarr_format": 2, "shape": shape, "chunks": chunk, "dtype": numpy.dtype(dtype).newbyteorder(">" if big else "<").str,
            "compressor": V2_COMPRESSORS[compressor], "fill_value": 0, "order": order, "filters": None, "dimension_separator": separator}


def install():
    """Node with zarrita in FOLDER; None where that cannot be had."""
    path = "/usr/local/bin:/usr/bin:/bin"
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not node or not npm:
        checks.skip("zarrita", "node or npm is not installed")
        return None
    done = FOLDER / "done"
    if not done.exists() or done.read_text() != VERSION:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        made = subprocess.run([npm, "install", "--prefix", FOLDER, "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "1",
                               "--fetch-timeout", "30000", f"zarrita@{VERSION}"], capture_output=True, text=True, timeout=300, cwd=FOLDER)
        if made.returncode != 0:
            shutil.rmtree(FOLDER)
            if re.search(UNREACHABLE, made.stderr):
                checks.skip("zarrita", "npm's registry cannot be reached")
            else:
                checks.not_ok("zarrita of npm", made.stderr[-300:])
            return None
        done.write_text(VERSION)
    return node


def main():
    if not zarr_tool.TOOL.exists():
        checks.skip("zarrita", "this build has no Zarr")
        checks.finish()
    node = install()
    if not node:
        checks.finish()
    store, cases = checks.SCRATCH / "store", {}
    combinations = itertools.chain((("v3", layout, compressor) for layout in LAYOUTS for compressor in COMPRESSORS),
                                   (("v2", layout, compressor) for layout in ("1-d", "2-d", "3-d", "0-d") for compressor in V2_COMPRESSORS))
    for number, (version, layout, compressor) in enumerate(combinations):
        dtype = TYPES[number % len(TYPES)]
        big, other = number % 3 == 1, number % 2 == 1
        if version == "v3":
            metadata, how = v3(dtype, layout, compressor, big, other), " transposed" if other else ""
        else:
            order, separator = "CF"[number % 2], "./"[number // 2 % 2]
            metadata, how = v2(dtype, layout, compressor, order, separator, big), f" order {order} keys {separator}"
        elements = zarr_tool.elements_of(dtype, LAYOUTS[layout][0], number)
        name, path = f"zarrita reads {version} {dtype} {compressor} {layout}{' big-endian' if big else ''}{how}", f"a{number}"
        zarr_tool.create(store, path, json.dumps(metadata))
        zarr_tool.write(store, path, elements)
        cases[name] = (store / path, elements)
    shutil.copy(SCRIPT, FOLDER)
    done = subprocess.run([node, FOLDER / SCRIPT.name], input=json.dumps([str(path) for path, _ in cases.values()]), capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    if len(lines) != len(cases):
        checks.not_ok("zarrita", f"it answers {len(lines)} of {len(cases)} times: {done.stderr[-300:]}")
        checks.finish()
    for (name, (_, elements)), line in zip(cases.items(), lines):
        said = json.loads(line)
        if "error" in said:
            checks.not_ok(name, said["error"])
            continue
        seen = numpy.fromfile(said["raw"], elements.dtype.newbyteorder("="))
        is_same = said["shape"] == list(elements.shape) and seen.tobytes() == elements.astype(seen.dtype).tobytes()
        checks.check(name, [] if is_same else ["it reads other elements than Weir wrote"])
    checks.finish()


main()
