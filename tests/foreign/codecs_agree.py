"""jpeg, webp, lerc and lzma: files of ours as GDAL, libtiff, rasterio and tifffile read them, and files of GDAL as we do.
Exact codecs: bit for bit. Lossy ones: what GDAL decodes, within 1 (the libraries are the same), and as near the source
as the codec promises."""

import hashlib
import itertools
import json
import shutil
import sys

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")  # failures are exceptions; WEBP_LOSSLESS warns of a level of its own
SUPPORT = checks.pathlib.Path(__file__).parent / "support"

TYPES = {"uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "int16": gdal.GDT_Int16, "uint32": gdal.GDT_UInt32,
         "int32": gdal.GDT_Int32, "float32": gdal.GDT_Float32, "float64": gdal.GDT_Float64}


def picture(name, bands, height=211, width=179):
    """Slopes with noise, NaN in a corner of single-band floats; bands first."""
    random = numpy.random.default_rng(bands)
    rows, cols = numpy.mgrid[0:height, 0:width]
    pixels = numpy.stack([60 + 40 * numpy.sin(rows / 17 + band) + cols / 3 for band in range(bands)])
    pixels += random.normal(0, 2, pixels.shape)
    if numpy.dtype(name).kind != "f":
        return numpy.clip(pixels, 0, 255).astype(name)
    pixels = pixels.astype(name)
    if bands == 1:
        pixels[:, 100:140, 90:] = numpy.nan
    return pixels


def write_gdal(path, pixels, options):
    driver = gdal.GetDriverByName("GTiff")
    bands, height, width = pixels.shape
    raster = driver.Create(str(path), width, height, bands, TYPES[pixels.dtype.name], options)
    for band in range(bands):
        raster.GetRasterBand(band + 1).WriteArray(pixels[band])
    raster = None


def read_gdal(path):
    pixels = gdal.Open(str(path)).ReadAsArray()
    return pixels if pixels.ndim == 3 else pixels[numpy.newaxis]


def read_weir(path):
    out = checks.SCRATCH / "read.npy"
    checks.weir("read", path, "--output", out, "--overwrite", "--quiet")
    pixels = numpy.load(out)
    return pixels[numpy.newaxis] if pixels.ndim == 2 else numpy.moveaxis(pixels, -1, 0)


def compared(name, seen, wanted, most=0.0):
    """One line where `seen` is further from `wanted` than `most`; 0: every bit but those of NaN."""
    if seen.dtype != wanted.dtype or seen.shape != wanted.shape:
        return [f"{name}: {seen.dtype} {seen.shape}, not {wanted.dtype} {wanted.shape}"]
    a, b = seen.astype("float64"), wanted.astype("float64")
    if not numpy.array_equal(numpy.isnan(a), numpy.isnan(b)):
        return [f"{name}: NaN are elsewhere"]
    far = numpy.nanmax(numpy.abs(a - b))
    return [f"{name}: off by {far}, {most} are allowed"] if far > most else []


def tiffinfo_complains(path):
    _, said = checks.run("tiffinfo", "-D", path)
    # Tiles of subsampled YCbCr are more than tiffinfo can show, GDAL's as well as ours.
    known = ("Unknown field with tag", "Cannot display data: th * rowsize > tilesize")
    lines = [line for line in said.splitlines() if line.strip() and not any(words in line for words in known)]
    return [f"tiffinfo: {' '.join(lines)}"] if lines else []


def others_see(paths):
    """What rasterio and tifffile see of each file: {reader: [hash or error, ...]}."""
    seen = {}
    for reader in ("rasterio", "tifffile"):
        if not checks.VENV_PYTHON:
            checks.skip(f"{reader} agrees", "PyPI cannot be reached")
            continue
        printed, _ = checks.run(checks.VENV_PYTHON, SUPPORT / "pixels.py", reader, *paths, seconds=1200)
        seen[reader] = [json.loads(line) for line in printed.splitlines()]
    return seen


# Codec flags of ours, creation options of GDAL's, types, bands, most that GDAL may differ from us, most that both may
# differ from the source (None: not looked at).
CODECS = [
    ("lzma", ["--compress", "lzma", "--level", "3"], ["COMPRESS=LZMA", "LZMA_PRESET=4"], tuple(TYPES), (1, 3), 0, 0),
    ("lzma predicted", ["--compress", "lzma", "--predictor", "2"], ["COMPRESS=LZMA", "PREDICTOR=2"],
     ("uint8", "uint16", "int32"), (1, 3), 0, 0),
    ("lerc", ["--compress", "lerc"], ["COMPRESS=LERC"], tuple(TYPES), (1, 3), 0, 0),
    ("lerc_deflate", ["--compress", "lerc_deflate"], ["COMPRESS=LERC_DEFLATE"], ("uint16", "float32"), (1, 2), 0, 0),
    ("lerc_zstd", ["--compress", "lerc_zstd", "--level", "5"], ["COMPRESS=LERC_ZSTD"], ("uint8", "float64"), (1, 4),
     0, 0),
    ("lerc within 0.5", ["--compress", "lerc", "--max-error", "0.5"], ["COMPRESS=LERC", "MAX_Z_ERROR=0.5"],
     ("float32", "float64"), (1, 3), 0, 0.5001),
    ("lerc within 3", ["--compress", "lerc", "--max-error", "3"], ["COMPRESS=LERC", "MAX_Z_ERROR=3"],
     ("uint8", "int16"), (1, 3), 0, 3),
    ("webp", ["--compress", "webp", "--quality", "80"], ["COMPRESS=WEBP", "WEBP_LEVEL=80"], ("uint8",), (3, 4), 1, 60),
    ("webp lossless", ["--compress", "webp", "--lossless"], ["COMPRESS=WEBP", "WEBP_LOSSLESS=YES"], ("uint8",),
     (3, 4), 0, 0),
    ("jpeg", ["--compress", "jpeg", "--quality", "85"], ["COMPRESS=JPEG", "JPEG_QUALITY=85"], ("uint8",), (1, 3, 4),
     1, 60),
    ("jpeg of tables mode 3", ["--compress", "jpeg"], ["COMPRESS=JPEG", "JPEGTABLESMODE=3"], ("uint8",), (1, 3), 1, 60),
    ("jpeg without tables", ["--compress", "jpeg", "--quality", "30"], ["COMPRESS=JPEG", "JPEGTABLESMODE=0"],
     ("uint8",), (1, 3), 1, 120),
    ("jpeg in YCbCr", ["--compress", "jpeg"], ["COMPRESS=JPEG", "PHOTOMETRIC=YCBCR"], ("uint8",), (3,), 1, 60),
]
LAYOUTS = {
    "tiles of 64": (["--tile", "64"], ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"]),
    "strips of 32": (["--strip", "32"], ["BLOCKYSIZE=32"]),
    "tiles of 128 in planes": (["--tile", "128", "--interleave", "band"],
                               ["TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=128", "INTERLEAVE=BAND"]),
    "one strip": (["--strip", "4000"], ["BLOCKYSIZE=211"]),
    "big-endian strips of 16": (["--strip", "16"], ["BLOCKYSIZE=16", "ENDIANNESS=BIG"]),
}


def combinations():
    """(name, flags, options, type, bands, most apart, most lost): codec x type x bands x layout; layouts take turns
    in a short run."""
    turns = itertools.cycle(LAYOUTS)
    for codec, flags, options, types, all_bands, apart, lost in CODECS:
        for name, bands in itertools.product(types, all_bands):
            for layout in LAYOUTS if checks.FULL else (next(turns), next(turns)):
                planes = "planes" in layout
                if planes and ("webp" in codec or "YCbCr" in codec):
                    continue
                ours, gdals = LAYOUTS[layout]
                yield (f"{codec}, {name} x {bands}, {layout}", flags + ours, options + gdals, name, bands, apart, lost)


def main():
    sources = {}
    files = []  # ours: (name, path, pixels that GDAL sees)
    count = 0
    for number, (name, flags, options, kind, bands, apart, lost) in enumerate(combinations()):
        count += 1
        if (kind, bands) not in sources:
            source = checks.SCRATCH / f"source_{kind}_{bands}.tif"
            pixels = picture(kind, bands)
            photometric = [f"PHOTOMETRIC={'RGB' if bands in (3, 4) and kind == 'uint8' else 'MINISBLACK'}"]
            write_gdal(source, pixels, photometric + (["ALPHA=NO"] if bands == 4 else []))
            sources[kind, bands] = source, pixels
        source, pixels = sources[kind, bands]
        problems = []
        try:
            path = checks.SCRATCH / f"ours_{number}.tif"
            checks.weir("convert", source, path, *flags, "--progress", "none", "--quiet")
            seen = read_gdal(path)
            problems += compared("GDAL reads ours", seen, pixels, lost)
            problems += compared("we read ours as GDAL does", read_weir(path), seen, apart)
            problems += tiffinfo_complains(path)
            files.append((name, path, seen))
            path = checks.SCRATCH / f"gdals_{number}.tif"
            write_gdal(path, pixels, options)
            seen = read_gdal(path)
            problems += compared("we read GDAL's as GDAL does", read_weir(path), seen, apart)
            # libtiff 4.5 turns the bytes of samples around before LERC sees them, which then compresses nonsense.
            if not ("lerc" in name and "big-endian" in name):
                problems += compared("GDAL's own", seen, pixels, lost)
        except RuntimeError as error:
            problems.append(str(error))
        checks.check(name, problems)

    seen = others_see([path for _, path, _ in files])
    for reader, results in seen.items():
        problems = []
        for (name, path, pixels), result in zip(files, results):
            if reader == "tifffile" and "jpeg" in name and "x 3" in name and "planes" in name:
                continue  # takes each plane of red, green and blue for all three, in GDAL's files as well as ours
            if "error" in result:
                problems.append(f"{name}: {result['error']}")
            elif tuple(result["shape"]) != pixels.shape or result["type"] != pixels.dtype.name:
                problems.append(f"{name}: {result['type']} {result['shape']}")
            elif " within " not in name and ("lerc" in name or "lzma" in name or "lossless" in name):
                own = hashlib.sha256(numpy.ascontiguousarray(pixels).tobytes()).hexdigest()
                if result["hash"] != own and not numpy.isnan(pixels.astype("float64")).any():
                    problems.append(f"{name}: other pixels")
        checks.check(f"{reader} reads {len(results)} files of ours", problems)
    print(f"# {count} combinations of codec, type, samples and layout, in both directions", flush=True)
    checks.finish()


if shutil.which("tiffinfo") is None:
    sys.exit("tiffinfo is needed (Debian: libtiff-tools)")
main()
