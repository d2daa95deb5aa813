"""Runs in the interpreter that has `zarr` and `tensorstore` of PyPI: what they write Weir reads, what Weir writes they read; v3 with
and without shards, v2. One line per check."""

import itertools
import json
import pathlib
import shutil
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import numpy
import tensorstore
import zarr
from zarr import codecs

from support import checks, zarr_tool

TYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64", "complex64", "complex128"]
COMPRESSORS = {
    "none": None,
    "gzip": codecs.GzipCodec(level=5),
    "zstd": codecs.ZstdCodec(level=3),
    "zstd checksum": codecs.ZstdCodec(level=1, checksum=True),
    "crc32c": codecs.Crc32cCodec(),
    "blosc lz4": codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
    "blosc zstd bits": codecs.BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
    "blosc zlib": codecs.BloscCodec(cname="zlib", clevel=3, shuffle="noshuffle"),
    "gzip crc32c": [codecs.GzipCodec(level=1), codecs.Crc32cCodec()],
}
LAYOUTS = {
    "1-d": dict(shape=(101,), chunks=(20,)),
    "2-d": dict(shape=(37, 53), chunks=(16, 20)),
    "3-d": dict(shape=(7, 20, 33), chunks=(3, 8, 11)),
    "shards": dict(shape=(37, 53), chunks=(4, 5), shards=(16, 20)),
    "3-d shards": dict(shape=(7, 20, 33), chunks=(2, 4, 5), shards=(4, 8, 15)),
    "one inner chunk": dict(shape=(37, 53), chunks=(16, 20), shards=(16, 20)),
    "0-d": dict(shape=(), chunks=()),
}


def layout_arguments(layout):
    return {key: value for key, value in layout.items() if not (key == "chunks" and value == ())}


def opened_by_tensorstore(folder, path):
    driver = "zarr3" if (folder / path / "zarr.json").exists() else "zarr"
    return tensorstore.open({"driver": driver, "kvstore": {"driver": "file", "path": str(folder / path)}}, open=True).result()


def by_tensorstore(folder, path):
    return opened_by_tensorstore(folder, path).read().result()


def some_slices(shape, seed):
    random = numpy.random.default_rng(seed)
    slices = []
    for extent in shape:
        begin = int(random.integers(0, extent))
        slices.append(slice(begin, int(random.integers(begin + 1, extent + 1)), int(random.integers(1, 4))))
    return tuple(slices)


def shards_of(layout):
    """Into what an array's chunks are put."""
    larger = [2 * size for size in layout.get("shards", layout["chunks"])]
    return [[], larger] if "shards" in layout else [larger]


def check_v3(name, dtype, layout, compressor, big, transposed, seed):
    folder = checks.SCRATCH / "store"
    shutil.rmtree(folder, ignore_errors=True)
    fill = numpy.zeros((), dtype).item() if seed % 3 else numpy.array(1 if dtype != "bool" else True, dtype).item()
    elements = zarr_tool.elements_of(dtype, layout["shape"], seed)
    serializer = codecs.BytesCodec(endian="big" if big else "little") if numpy.dtype(dtype).itemsize > 1 else "auto"
    rank = len(layout["shape"])
    filters = codecs.TransposeCodec(order=tuple(reversed(range(rank)))) if transposed and rank > 1 else None
    theirs = zarr.create_array(str(folder / "theirs"), dtype=dtype, compressors=compressor, serializer=serializer, filters=filters,
                               fill_value=fill, **layout_arguments(layout))
    problems = []
    part = some_slices(layout["shape"], seed)
    theirs[part] = elements[part]
    wanted = theirs[...]
    wanted = numpy.asarray(wanted)
    if not zarr_tool.same(zarr_tool.read(folder, "theirs", dtype, layout["shape"]), wanted):
        problems.append("Weir reads other elements than zarr wrote")
    if rank:
        window = some_slices(layout["shape"], seed + 1)
        if not zarr_tool.same(zarr_tool.read(folder, "theirs", dtype, layout["shape"], window), wanted[window]):
            problems.append(f"Weir reads another part {window}")
    problems += [f"validate finds fault: {fault}" for fault in zarr_tool.faults(folder / "theirs")]
    # Its stored chunks in shards of theirs, in others, and without.
    for shard in shards_of(layout) if rank else ():
        try:
            stored = sum(path.is_file() for path in (folder / "theirs" / "c").rglob("*"))
            passed = zarr_tool.copy(folder, "theirs", "passed", shard)
            if "shards" not in layout and passed != stored:
                problems.append(f"{passed} of {stored} stored chunks passed")
            seen = numpy.asarray(zarr.open_array(str(folder / "passed"), mode="r")[...])
            if not zarr_tool.same(seen, wanted):
                problems.append(f"zarr reads other elements in chunks that passed into shards of {shard}")
            if not zarr_tool.same(numpy.asarray(by_tensorstore(folder, "passed")), wanted):
                problems.append(f"tensorstore reads other elements in chunks that passed into shards of {shard}")
        except Exception as error:
            problems.append(f"passed into shards of {shard}: {type(error).__name__}: {error}")
        shutil.rmtree(folder / "passed", ignore_errors=True)
    # The same array, written by Weir: whole, then a part.
    zarr_tool.create(folder, "ours", (folder / "theirs" / "zarr.json").read_text())
    zarr_tool.write(folder, "ours", elements)
    if rank:
        window = some_slices(layout["shape"], seed + 2)
        other = zarr_tool.elements_of(dtype, layout["shape"], seed + 7)
        zarr_tool.write(folder, "ours", other[window], window, layout["shape"])
        elements[window] = other[window]
    try:
        seen = numpy.asarray(zarr.open_array(str(folder / "ours"), mode="r")[...])
        if not zarr_tool.same(seen, elements):
            problems.append("zarr reads other elements than Weir wrote")
        if not zarr_tool.same(numpy.asarray(by_tensorstore(folder, "ours")), elements):
            problems.append("tensorstore reads other elements than Weir wrote")
        left = {path.relative_to(folder / "ours") for path in (folder / "ours").rglob("*") if path.is_file()}
        theirs[...] = elements
        right = {path.relative_to(folder / "theirs") for path in (folder / "theirs").rglob("*") if path.is_file()}
        if left != right:
            problems.append(f"other keys: {sorted(map(str, left ^ right))[:4]}")
        elif "gzip" not in name and "blosc" not in name and "zstd" not in name:
            others = [key for key in left if key.name != "zarr.json" and (folder / "ours" / key).read_bytes() != (folder / "theirs" / key).read_bytes()]
            if others:
                problems.append(f"other bytes in {others[0]}")
        # Shards of both, updated in place.
        for path in ("ours", "theirs") if "shards" in layout else ():
            window = some_slices(layout["shape"], seed + 3)
            other = zarr_tool.elements_of(dtype, layout["shape"], seed + 8)
            zarr_tool.write(folder, path, other[window], window, layout["shape"], in_place=True)
            updated = elements.copy()
            updated[window] = other[window]
            if not zarr_tool.same(numpy.asarray(zarr.open_array(str(folder / path), mode="r")[...]), updated):
                problems.append(f"zarr reads other elements than Weir wrote in place into {path}")
            if not zarr_tool.same(numpy.asarray(by_tensorstore(folder, path)), updated):
                problems.append(f"tensorstore reads other elements than Weir wrote in place into {path}")
    except Exception as error:  # what a peer says of our files is the result
        problems.append(f"{type(error).__name__}: {error}")
    checks.check(name, problems)


def sharding(chunk, inner, index=None):
    index = index or [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    return {"name": "sharding_indexed", "configuration": {"chunk_shape": list(chunk), "codecs": inner, "index_codecs": index,
                                                          "index_location": "end"}}


def chains():
    """Codecs around shards, which every writer has to apply and every reader to undo."""
    number = [{"name": "bytes", "configuration": {"endian": "little"}}]
    turned = {"name": "transpose", "configuration": {"order": [1, 0]}}
    gzip, crc32c = {"name": "gzip", "configuration": {"level": 1}}, {"name": "crc32c"}
    zstd = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
    # Of chunks of 20 x 20. zarr takes the shape in a turned shard for one that is not turned: sizes divide both ways.
    return {
        "shards with crc32c behind": [sharding((4, 5), number), crc32c],
        "shards with gzip and crc32c behind": [sharding((4, 5), [*number, zstd]), gzip, crc32c],
        "turned shards": [turned, sharding((5, 4), [*number, zstd])],
        "turned shards of turned chunks, with zstd behind": [turned, sharding((5, 4), [turned, *number]), zstd],
        "no shards, turned, with gzip and crc32c": [turned, *number, gzip, crc32c],
        "shards in shards": [sharding((10, 20), [sharding((5, 4), [*number, zstd])])],
        "shards in shards with crc32c between and behind": [sharding((10, 20), [sharding((5, 4), number), crc32c]), crc32c],
        "turned shards in shards": [turned, sharding((10, 5), [turned, sharding((5, 5), [*number, gzip])])],
    }


def check_chain(name, chain, seed):
    """Each of zarr, tensorstore and Weir writes, all of them read: whole, and after a part was written over. tensorstore refuses
    what comes behind shards."""
    folder = checks.SCRATCH / "store"
    shutil.rmtree(folder, ignore_errors=True)
    shape, problems = (37, 53), []
    described = json.dumps({"zarr_format": 3, "node_type": "array", "shape": list(shape), "data_type": "uint16", "fill_value": 7,
                            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [20, 20]}},
                            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                            "codecs": chain, "attributes": {}}, indent=2)
    part = (slice(3, 30), slice(11, 49))

    def written(writer, path, elements, slices):
        if writer == "zarr":
            zarr.open_array(str(folder / path), mode="r+")[slices] = elements
        elif writer == "tensorstore":
            opened_by_tensorstore(folder, path)[slices].write(elements).result()
        else:
            zarr_tool.write(folder, path, elements, slices, shape)

    peers = {"zarr": lambda path: zarr.open_array(str(folder / path), mode="r")[...],
             "Weir": lambda path: zarr_tool.read(folder, path, "uint16", shape)}
    if "behind" not in name:
        peers["tensorstore"] = lambda path: by_tensorstore(folder, path)
    for writer in peers:
        path = writer.lower()
        try:
            zarr_tool.create(folder, path, described)
            wanted = zarr_tool.elements_of("uint16", shape, seed)
            written(writer, path, wanted, (slice(0, 37), slice(0, 53)))
            for step in range(2):
                if step == 1:
                    wanted[part] = zarr_tool.elements_of("uint16", shape, seed + 1)[part]
                    written(writer, path, wanted[part], part)
                problems += [f"{reader} reads other elements than {writer} wrote in step {step}"
                             for reader, read in peers.items() if not zarr_tool.same(numpy.asarray(read(path)), wanted)]
                if not zarr_tool.same(zarr_tool.read(folder, path, "uint16", shape, part), wanted[part]):
                    problems.append(f"Weir reads another part than {writer} wrote in step {step}")
            problems += [f"validate finds fault with {writer}: {fault}" for fault in zarr_tool.faults(folder / path)]
        except Exception as error:
            problems.append(f"{writer}: {type(error).__name__}: {error}")
    checks.check(f"zarr v3, {name}", problems)


def check_v2(name, dtype, layout, compressor, order, seed):
    folder = checks.SCRATCH / "store"
    shutil.rmtree(folder, ignore_errors=True)
    elements = zarr_tool.elements_of(dtype, layout["shape"], seed)
    theirs = zarr.create_array(str(folder / "theirs"), dtype=dtype, zarr_format=2, compressors=compressor, order=order, fill_value=0,
                               **layout_arguments(layout))
    theirs[...] = elements
    problems = []
    if not zarr_tool.same(zarr_tool.read(folder, "theirs", dtype, layout["shape"]), elements):
        problems.append("Weir reads other elements than zarr wrote")
    problems += [f"validate finds fault: {fault}" for fault in zarr_tool.faults(folder / "theirs")]
    zarr_tool.create(folder, "ours", json.dumps(json.loads((folder / "theirs" / ".zarray").read_text()), indent=2))
    zarr_tool.write(folder, "ours", elements)
    try:
        if not zarr_tool.same(numpy.asarray(zarr.open_array(str(folder / "ours"), mode="r", zarr_format=2)[...]), elements):
            problems.append("zarr reads other elements than Weir wrote")
        # v3, in shards; zlib, lz4 and bz2 are codecs there that zarr alone knows.
        if " zlib " not in name and " lz4 " not in name and " bz2 " not in name:
            zarr_tool.copy(folder, "theirs", "three", [2 * size for size in layout["chunks"]], format=3)
            zarr_tool.copy(folder, "three", "two", [], format=2)
            for path in ("three", "two"):
                if not zarr_tool.same(numpy.asarray(zarr.open_array(str(folder / path), mode="r")[...]), elements):
                    problems.append(f"zarr reads other elements in chunks that passed into v3 and back: {path}")
                if not zarr_tool.same(numpy.asarray(by_tensorstore(folder, path)), elements):
                    problems.append(f"tensorstore reads other elements in chunks that passed into v3 and back: {path}")
        # tensorstore knows no lz4 of its own in v2.
        if " lz4 " not in name and not zarr_tool.same(numpy.asarray(by_tensorstore(folder, "ours")), elements):
            problems.append("tensorstore reads other elements than Weir wrote")
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}")
    checks.check(name, problems)


def main():
    zarr.config.set({"async.concurrency": 4})
    number = 0
    for (type_index, dtype), (layout_name, layout) in itertools.product(enumerate(TYPES), LAYOUTS.items()):
        names = list(COMPRESSORS)
        chosen = names if checks.FULL else [names[(number * 5 + type_index) % len(names)]]
        for compressor in chosen:
            number += 1
            big, transposed = number % 3 == 0, number % 4 == 0
            check_v3(f"zarr v3 {dtype} {layout_name} {compressor}{' big-endian' if big else ''}{' transposed' if transposed else ''}",
                     dtype, layout, COMPRESSORS[compressor], big, transposed, number)
    warnings.filterwarnings("ignore", message="Combining a `sharding_indexed` codec")  # slow, and right
    for seed, (name, chain) in enumerate(chains().items()):
        check_chain(name, chain, seed)
    import numcodecs
    v2 = {"none": None, "zlib": numcodecs.Zlib(5), "gzip": numcodecs.GZip(5), "zstd": numcodecs.Zstd(3), "blosc": numcodecs.Blosc("lz4"),
          "lz4": numcodecs.LZ4(), "bz2": numcodecs.BZ2(1)}
    for (index, dtype), (layout_name, layout) in itertools.product(enumerate(["<i2", ">u4", "<f4", ">f8", "|b1", "<c8"]),
                                                                  list(LAYOUTS.items())[:3]):
        compressor = list(v2)[(index * 3 + len(layout_name) + len(layout["shape"])) % len(v2)]
        for order in "CF":
            check_v2(f"zarr v2 {dtype} {layout_name} {compressor} order {order}", dtype, layout, v2[compressor], order, index)
    checks.finish()


main()
