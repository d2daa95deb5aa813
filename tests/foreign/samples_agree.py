"""Samples of every kind: GDAL writes 1 to 31 bits, float16 and complex ones in all layouts and both byte orders, and
Weir reads what GDAL reads; Weir writes complex and float16 samples, and GDAL and tifffile read them."""

import itertools
import json
import sys

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")

SUPPORT = checks.pathlib.Path(__file__).parent / "support"
LAYOUTS = (
    [],
    ["TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16"],
    ["BLOCKYSIZE=7"],
    ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=48"],
)
COMPLEX = {
    gdal.GDT_CInt16: ("CInt16", numpy.complex64),  # numpy has no complex integers: GDAL takes and gives floats
    gdal.GDT_CInt32: ("CInt32", numpy.complex128),
    gdal.GDT_CFloat32: ("CFloat32", numpy.complex64),
    gdal.GDT_CFloat64: ("CFloat64", numpy.complex128),
}


def write(path, pixels, gdal_type, options):
    """Planes of samples, by GDAL."""
    samples, height, width = pixels.shape
    raster = gdal.GetDriverByName("GTiff").Create(str(path), width, height, samples, gdal_type, options)
    for sample in range(samples):
        raster.GetRasterBand(sample + 1).WriteArray(pixels[sample])
    raster.FlushCache()


def seen_by(reader, python, path):
    printed, _ = checks.run(python, SUPPORT / "pixels.py", reader, path)
    return json.loads(printed)


def read_by_gdal(path):
    pixels = gdal.Open(str(path)).ReadAsArray()
    return pixels if pixels.ndim == 3 else pixels[numpy.newaxis]


def problems_of(original, copy):
    wanted, seen = read_by_gdal(original), read_by_gdal(copy)
    if wanted.dtype != seen.dtype or wanted.shape != seen.shape:
        return [f"{seen.dtype} {seen.shape}, and it should be {wanted.dtype} {wanted.shape}"]
    if wanted.tobytes() != seen.tobytes():
        return [f"{numpy.count_nonzero(wanted != seen)} samples differ"]
    return []


def copied(name, original, copy, *flags):
    """The problems of a copy by Weir."""
    try:
        checks.weir("convert", original, copy, *flags, "--overwrite", "--progress", "none")
        return problems_of(original, copy)
    except RuntimeError as error:
        return [f"{name}: {error}"]


def odd_bits():
    """Every number of bits; layouts, byte orders, interleaving and codecs take turns, in a full run all of them."""
    random = numpy.random.default_rng(4)
    path, copy = checks.SCRATCH / "bits.tif", checks.SCRATCH / "copy.tif"
    ways = list(itertools.product(LAYOUTS, ("LITTLE", "BIG"), ("PIXEL", "BAND"), ("NONE", "DEFLATE", "LZW")))
    turns = itertools.cycle(ways[::5] + ways[1::5] + ways[2::5] + ways[3::5] + ways[4::5])
    files = 0
    for bits in [*range(1, 8), *range(9, 16), *range(17, 32)]:
        kind, gdal_type = ((numpy.uint8, gdal.GDT_Byte) if bits < 8 else
                           (numpy.uint16, gdal.GDT_UInt16) if bits < 16 else (numpy.uint32, gdal.GDT_UInt32))
        problems = []
        for layout, order, interleave, codec in ways if checks.FULL else [next(turns) for _ in range(5)]:
            pixels = random.integers(0, 2**bits, size=(3, 37, 45), dtype=numpy.uint32).astype(kind)
            write(path, pixels, gdal_type, [f"NBITS={bits}", f"ENDIANNESS={order}", f"INTERLEAVE={interleave}",
                                            f"COMPRESS={codec}", *layout])
            if not numpy.array_equal(read_by_gdal(path), pixels):
                problems.append(f"GDAL does not read {order} {interleave} {codec} {layout} as it wrote it")
            found = copied(f"{order} {interleave} {codec} {layout}", path, copy)
            if bits == 24 and order == "BIG":  # GDAL's own order of bytes, which libtiff does not share
                found = [] if "24 in a big-endian file" in str(found) else ["24 big-endian bits are not refused"]
            problems += found
            files += 1
        checks.check(f"{bits} bits are what GDAL wrote and reads", problems)
    print(f"{files} files of odd bits")


def shown(raster):
    """0 to 255, as a viewer shows the first band."""
    band = raster.GetRasterBand(1)
    table = band.GetColorTable()
    pixels = band.ReadAsArray()
    if table is not None:
        return numpy.array([table.GetColorEntry(i)[0] for i in range(table.GetCount())])[pixels]
    return pixels * 255.0 / (2 ** int(band.GetMetadataItem("NBITS", "IMAGE_STRUCTURE") or 8) - 1)


def shades():
    """Grey of few bits becomes 8 bits that look the same; GDAL keeps the bits."""
    random = numpy.random.default_rng(6)
    path, copy = str(checks.SCRATCH / "grey.tif"), str(checks.SCRATCH / "copy.tif")
    for bits in (1, 2, 4, 7, 8):
        for white in ("MINISWHITE", "MINISBLACK"):
            pixels = random.integers(0, 2**bits, size=(1, 37, 45), dtype=numpy.uint8)
            write(path, pixels, gdal.GDT_Byte, [f"NBITS={bits}", f"PHOTOMETRIC={white}"])
            problems = []
            for flags in ([], ["--to", "cog"], ["--window", "3,5,20,30"]):
                checks.weir("convert", path, copy, *flags, "--overwrite", "--quiet")
                wanted, found = gdal.Open(path), gdal.Open(copy)
                rows, cols = (slice(5, 35), slice(3, 23)) if "--window" in flags else (slice(None), slice(None))
                if numpy.abs(shown(wanted)[rows, cols] - shown(found)).max() > 1:
                    problems.append(f"{flags}: {shown(found)[0, :4]} and not {shown(wanted)[rows, cols][0, :4]}")
                if not numpy.array_equal(found.ReadAsArray(), pixels[0][rows, cols]):
                    problems.append(f"{flags}: other values")
            checks.check(f"{bits} bit{'s' * (bits > 1)} of grey, {white}, look as they did", problems)


def halves():
    random = numpy.random.default_rng(5)
    path, copy, kept = (checks.SCRATCH / name for name in ("half.tif", "copy.tif", "kept.tif"))
    graph = checks.SCRATCH / "keep.yaml"
    pixels = random.normal(size=(2, 37, 45)).astype(numpy.float16)
    pixels[0, 0, :4] = (numpy.inf, -numpy.inf, 65504, 6e-8)
    for codec, predictor, order in (("NONE", 1, "LITTLE"), ("NONE", 1, "BIG"), ("DEFLATE", 2, "LITTLE"),
                                    ("DEFLATE", 3, "LITTLE"), ("LZW", 2, "BIG")):
        write(path, pixels.astype(numpy.float32), gdal.GDT_Float32,
              ["NBITS=16", f"COMPRESS={codec}", f"PREDICTOR={predictor}", f"ENDIANNESS={order}"])
        name = f"float16, {codec} with predictor {predictor}, {order}"
        checks.check(f"{name}: read as GDAL reads it", copied(name, path, copy))
        for predicted in ("none", "horizontal", "float"):
            graph.write_text(
                "weir: 1\nnodes:\n"
                f"  in: {{type: read_tiff, path: {path}, keep_half: true}}\n"
                "  assemble: {type: assemble_bands, input: in}\n"
                "  cut: {type: cut_tiles, input: assemble, tile: 16x32}\n"
                f"  compress: {{type: compress_tiles, input: cut, codec: deflate, predictor: {predicted}}}\n"
                f"  tif: {{type: write_tiff, input: compress, overwrite: true, path: {kept}}}\n")
            try:
                checks.weir("run", graph)
                problems = problems_of(path, kept)
                if checks.VENV_PYTHON:
                    wanted = seen_by_tifffile(pixels)
                    seen = seen_by("tifffile", checks.VENV_PYTHON, kept)
                    problems += [f"tifffile: {seen}"] if seen != wanted else []
            except RuntimeError as error:
                problems = [str(error)]
            checks.check(f"{name}: kept with {predicted}, read by GDAL and tifffile", problems)


def seen_by_tifffile(pixels):
    import hashlib

    return {"type": pixels.dtype.name, "shape": list(pixels.shape),
            "hash": hashlib.sha256(numpy.ascontiguousarray(pixels).tobytes()).hexdigest()}


def complex_samples():
    random = numpy.random.default_rng(6)
    path, copy = checks.SCRATCH / "complex.tif", checks.SCRATCH / "copy.tif"
    for gdal_type, (name, kind) in COMPLEX.items():
        pixels = (random.integers(-9999, 9999, size=(2, 37, 45)) +
                  1j * random.integers(-9999, 9999, size=(2, 37, 45))).astype(kind)
        problems = []
        for layout, order, interleave, codec in itertools.product(
                LAYOUTS[:2], ("LITTLE", "BIG"), ("PIXEL", "BAND"), ("NONE", "DEFLATE")):
            write(path, pixels, gdal_type, [f"ENDIANNESS={order}", f"INTERLEAVE={interleave}", f"COMPRESS={codec}",
                                            *layout])
            for flags in (("--compress", "none"), ("--compress", "zstd", "--tile", "16x32"),
                          ("--compress", "lzw", "--strip", "5", "--interleave", "band")):
                problems += copied(f"{order} {interleave} {codec} {layout} {flags}", path, copy, *flags)
                raster = gdal.Open(str(copy))  # numpy's type does not tell complex integers from floats
                if raster.GetRasterBand(1).DataType != gdal_type:
                    problems.append(f"GDAL sees another type in the copy by {flags}")
        if checks.VENV_PYTHON and "Float" in name:
            checks.weir("convert", path, copy, "--compress", "zstd", "--overwrite", "--progress", "none")
            seen = seen_by("tifffile", checks.VENV_PYTHON, copy)
            problems += [f"tifffile: {seen}"] if seen != seen_by_tifffile(pixels) else []
        checks.check(f"{name} is read and written as GDAL has it", problems)
        if name != "CFloat64":
            write(path, pixels, gdal_type, ["COMPRESS=DEFLATE", "PREDICTOR=2"])
            checks.check(f"{name} with GDAL's predictor 2 is read as GDAL reads it",
                         copied(name, path, copy))


def main():
    if not checks.VENV_PYTHON:
        checks.skip("tifffile agrees", "PyPI cannot be reached")
    odd_bits()
    shades()
    halves()
    complex_samples()
    checks.finish()


main()
