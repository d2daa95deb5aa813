"""Zarr arrays of PyPI's `zarr` and `tensorstore` (v3, shards, v2) and of Debian's python3-zarr and GDAL (v2): what they write Weir
reads, what Weir writes they read, bit for bit; the same keys, and where no compressor's version matters the same bytes. And the
arrays that zarr-python made for zarrita, v2 and v3: numbers read right, strings and objects are refused."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy

from support import checks, zarr_tool

SUPPORT = checks.pathlib.Path(__file__).parent / "support"

# What zarrita's arrays hold (tests/data/README.md), by the beginning of their names and their type.
ONE_DIMENSION = {
    "i2": [1, 2, 3, 4], "i4": [1, 2, 3, 4], "u1": [255, 0, 255, 0], "f2": [-1000.5, 0, 1000.5, 0], "f4": [-1000.5, 0, 1000.5, 0],
    "f8": [1.5, 2.5, 3.5, 4.5], "b1": [True, False, True, False],
}
TYPES = {"i2": "int16", "i4": "int32", "u1": "uint8", "f2": "float16", "f4": "float32", "f8": "float64", "b1": "bool"}


def held(name):
    """The elements of one of zarrita's arrays; nothing where it holds no numbers."""
    words = name.split(".")
    kind = next((word for word in words if word in TYPES), None)
    if kind is None:
        return None
    if words[0] == "1d":
        if "fixedscaleoffset" in words or "bitround" in words:
            return "as zarr reads it"
        if "shuffle" in words and "delta" in words or name == "1d.i2":
            return numpy.array([10, 20, 30, 40], TYPES[kind])
        values = [1, 2, 3, 4, 5] if "ragged" in words else [1, 2, 0, 0] if "filled" in words else ONE_DIMENSION[kind]
        return numpy.array(values, TYPES[kind])
    if words[0] == "2d":
        if "filled" in words:
            return numpy.arange(16).reshape(4, 4).astype(TYPES[kind])
        if "ragged" in words:
            return numpy.arange(1, 10).reshape(3, 3).astype(TYPES[kind])
        if "chunked" in words and "sharded" in words:
            return numpy.arange(1, 17).reshape(4, 4).astype(TYPES[kind])
        return numpy.arange(1, 5).reshape(2, 2).astype(TYPES[kind])
    side = 4 if "chunked" in words and "sharded" in words and "mixed" not in words else 3
    return numpy.arange(side**3).reshape(side, side, side).astype(TYPES[kind])


def fixtures():
    read = refused = 0
    for version in ("v2", "v3"):
        folder = checks.SCRATCH / version
        shutil.rmtree(folder, ignore_errors=True)
        zipfile.ZipFile(checks.DATA / "zarr" / f"zarrita_{version}.zip").extractall(folder)
        marker = ".zarray" if version == "v2" else "zarr.json"
        for metadata in sorted(folder.rglob(marker)):
            path = metadata.parent.relative_to(folder)
            described = json.loads(metadata.read_text())
            if version == "v3" and described["node_type"] != "array":
                continue
            wanted = held(path.name)
            faults, notes = zarr_tool.validated(metadata.parent)
            if faults or (wanted is None) != any("Weir does not read" in note for note in notes):
                checks.not_ok(f"validate zarrita {version} {path}", faults or f"{'numbers' if wanted is not None else 'no numbers'}, and its notes are {notes}")
            try:
                if isinstance(wanted, str):
                    import zarr

                    wanted = zarr.open_array(str(metadata.parent), mode="r")[...]
                dtype = "uint8" if wanted is None else wanted.dtype
                seen = zarr_tool.read(folder, path, dtype, described["shape"] if wanted is None else wanted.shape)
            except RuntimeError as error:
                if wanted is not None:
                    checks.not_ok(f"zarrita {version} {path}", error)
                elif "data_type" in str(error) or "dtype" in str(error):
                    refused += 1
                else:
                    checks.not_ok(f"zarrita {version} {path}", f"is refused with: {error}")
                continue
            except Exception as error:
                checks.not_ok(f"zarrita {version} {path}", error)
                continue
            if wanted is None:
                checks.not_ok(f"zarrita {version} {path}", "it holds no numbers, and was read")
            elif not zarr_tool.same(seen, wanted):
                checks.not_ok(f"zarrita {version} {path}", f"holds {seen.tolist()} instead of {wanted.tolist()}")
            else:
                read += 1
    checks.ok(f"{read} arrays of zarrita read, {refused} of strings and objects refused")


def debian():
    """python3-zarr 2.13 and GDAL 3.6: v2."""
    try:
        import numcodecs
        import zarr
    except ImportError:
        checks.skip("zarr of Debian", "python3-zarr is not installed")
        return
    from osgeo import gdal

    gdal.UseExceptions()
    compressors = {"none": None, "zlib": numcodecs.Zlib(5), "gzip": numcodecs.GZip(5), "blosc": numcodecs.Blosc("lz4"), "zstd": numcodecs.Zstd(3),
                   "lz4": numcodecs.LZ4(), "bz2": numcodecs.BZ2(1), "lzma": numcodecs.LZMA(preset=1)}
    filters = {"": None, " delta": lambda dtype: [numcodecs.Delta(dtype)], " shuffle": lambda dtype: [numcodecs.Shuffle(numpy.dtype(dtype).itemsize)]}
    number = 0
    for compressor, codec in compressors.items():
        for filtered, make in filters.items():
            number += 1
            dtype = ["<i2", ">u4", "<i8", ">i2", "<f8"][number % 5] if "delta" not in filtered else ["<i2", "<u4", "<i8"][number % 3]
            order, separator = "CF"[number % 2], "./"[number // 2 % 2]
            name = f"zarr 2.13 {dtype} {compressor}{filtered} order {order} keys {separator}"
            folder = checks.SCRATCH / "store"
            shutil.rmtree(folder, ignore_errors=True)
            elements = zarr_tool.elements_of(dtype, (37, 53), number)
            theirs = zarr.open_array(str(folder / "theirs"), mode="w", shape=(37, 53), chunks=(16, 20), dtype=dtype, order=order, compressor=codec,
                                     filters=make(dtype) if make else None, dimension_separator=separator, fill_value=0)
            theirs[...] = elements
            problems = []
            try:
                if not zarr_tool.same(zarr_tool.read(folder, "theirs", dtype, (37, 53)), elements):
                    problems.append("Weir reads other elements")
                text = json.dumps(json.loads((folder / "theirs" / ".zarray").read_text()), indent=2)
                zarr_tool.create(folder, "ours", text)
                zarr_tool.write(folder, "ours", elements)
                if not zarr_tool.same(zarr.open_array(str(folder / "ours"), mode="r")[...], elements):
                    problems.append("zarr reads other elements than Weir wrote")
                if not filtered and compressor not in ("lzma", "bz2") and "i8" not in dtype:
                    seen = gdal.Open(f'ZARR:"{folder / "ours"}"').ReadAsArray()
                    if not numpy.array_equal(seen, elements, equal_nan=elements.dtype.kind == "f"):
                        problems.append("GDAL reads other elements than Weir wrote")
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}")
            checks.check(name, problems)


def main():
    if not zarr_tool.TOOL.exists():
        checks.skip("zarr", "this build has no Zarr")
        checks.finish()
    fixtures()
    debian()
    failed = False
    if checks.VENV_PYTHON:
        failed = subprocess.run([checks.VENV_PYTHON, SUPPORT / "zarr_matrix.py"]).returncode != 0
    else:
        checks.skip("zarr of PyPI, tensorstore", "PyPI cannot be reached")
    if failed:
        sys.exit(1)
    checks.finish()


main()
