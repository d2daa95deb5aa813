"""COGs that `weir convert --to cog` writes: GDAL's validator, with its full check of leaders and trailers, finds nothing to say; GDAL sees
the source's pixels; nearest and average overviews are those that GDAL makes, but for three things that GDAL 3.6 does otherwise: with odd
sizes it spreads its cells over the whole size (ours round up and have a smaller last cell), halves of negative integers go away from zero
(ours go up), and float32 is added up in float32 (ours in double)."""

import itertools
import subprocess
import sys

import numpy
from osgeo import gdal
from osgeo_utils.samples import validate_cloud_optimized_geotiff

from support import canonical, checks, plain_tiff

gdal.UseExceptions()

SIZES = [(1, 1), (16, 16), (17, 33), (100, 1), (1, 3000), (600, 500), (257, 1025)]
TYPES = ["uint8", "int16", "uint16", "int32", "float32", "float64"]
CODECS = [("none", "1"), ("deflate", "1"), ("deflate", "2"), ("zstd", "2"), ("zstd", "3"), ("lzw", "2")]


def pixels_of(type_name, size, samples, has_nodata):
    rows, columns = size
    random = numpy.random.default_rng(rows * 7 + columns)
    row, column, sample = numpy.ogrid[:rows, :columns, :samples]
    pixels = (60 + 40 * numpy.sin(row / 19) + 30 * numpy.cos(column / 23) + 5 * sample + random.integers(0, 9, (rows, columns, samples)))
    pixels = pixels.astype(type_name)
    if has_nodata:
        pixels[random.random((rows, columns)) < 0.2] = 7
    return pixels


def problems_of(path, pixels):
    warnings, errors, _ = validate_cloud_optimized_geotiff.validate(str(path), full_check=True)
    said = [f"validator: {line}" for line in [*warnings, *errors]]
    seen = gdal.Open(str(path)).ReadAsArray()
    seen = seen if seen.ndim == 3 else seen[numpy.newaxis]
    if canonical.seen(seen) != canonical.seen(canonical.planes(pixels)):
        said.append("GDAL sees other pixels")
    complaint = subprocess.run(["tiffinfo", "-D", path], capture_output=True, text=True).stderr
    said += [f"tiffinfo: {line}" for line in complaint.splitlines() if "Unknown field with tag" not in line]
    return said


def validated():
    number = 0
    takes = itertools.cycle(["--memory 64M", "--threads 1", "--threads 8", "--tokens 1", "--bigtiff yes"])
    tiles = itertools.cycle(["16", "64", "256", "128x48"])
    masks = itertools.cycle([False, True, False])
    for type_name, size in itertools.product(TYPES, SIZES):
        codecs = CODECS if checks.FULL else [CODECS[number % len(CODECS)], CODECS[(number + 3) % len(CODECS)]]
        for codec, predictor in codecs:
            if predictor == "3" and not type_name.startswith("float"):
                continue
            number += 1
            samples = 1 + number % 3
            has_nodata, has_mask = number % 2 == 0, next(masks)
            source, target = checks.SCRATCH / "source.tif", checks.SCRATCH / "cog.tif"
            pixels = pixels_of(type_name, size, samples, has_nodata)
            plain_tiff.write(source, pixels)
            if has_mask:
                gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")
                raster = gdal.Open(str(source), gdal.GA_Update)
                raster.CreateMaskBand(gdal.GMF_PER_DATASET)
                mask = numpy.where(numpy.indices(size).sum(axis=0) % 5 < 3, 255, 0).astype("uint8")
                raster.GetRasterBand(1).GetMaskBand().WriteArray(mask)
                del raster
            flags = ["--compress", codec, "--predictor", predictor, "--tile", next(tiles), *next(takes).split()]
            if has_nodata:
                flags += ["--nodata", "7"]
            name = f"COG {type_name} x{samples} {size[0]}x{size[1]}{' masked' if has_mask else ''} {' '.join(flags)}"
            try:
                checks.weir("convert", source, target, "--to", "cog", *flags, "--overwrite", "--quiet")
                said = problems_of(target, pixels)
                if has_mask:
                    made = gdal.Open(str(target))  # a band lives as long as its raster
                    band = made.GetRasterBand(1)
                    if band.GetMaskFlags() != gdal.GMF_PER_DATASET or not (band.GetMaskBand().ReadAsArray() == mask).all():
                        said.append("GDAL sees another mask")
                checks.check(name, said)
            except RuntimeError as error:
                checks.not_ok(name, error)


def overviews_agree():
    for type_name, resampling, has_nodata in itertools.product(["uint8", "uint16", "int16", "float32"], ["nearest", "average"], [False, True]):
        source, target, peer = (checks.SCRATCH / name for name in ("source.tif", "cog.tif", "peer.tif"))
        pixels = pixels_of(type_name, (512, 1024), 1, has_nodata)
        nodata = "7"
        if type_name == "int16":  # GDAL asks before it rounds whether a mean is nodata by accident, ours after: none is
            pixels = numpy.maximum(pixels, 0)
            pixels[pixels == 7], nodata = (-9999, "-9999") if has_nodata else (7, "")
        plain_tiff.write(source, pixels)
        flags = ["--nodata", nodata] if has_nodata else []
        checks.weir("convert", source, target, "--to", "cog", "--tile", "64", "--resampling", resampling, "--compress", "none", *flags,
                    "--overwrite", "--quiet")
        gdal.Translate(str(peer), str(source), noData=float(nodata) if has_nodata else None)
        gdal.Open(str(peer), gdal.GA_Update).BuildOverviews(resampling.upper(), [2, 4, 8, 16])
        rasters = [gdal.Open(str(target)), gdal.Open(str(peer))]  # a band lives as long as its raster
        ours, theirs = (raster.GetRasterBand(1) for raster in rasters)
        said = []
        for level in range(4):
            mine, other = ours.GetOverview(level).ReadAsArray(), theirs.GetOverview(level).ReadAsArray()
            if mine.shape != other.shape:
                said.append(f"level {level + 1} is {mine.shape}, GDAL's is {other.shape}")
            elif not numpy.allclose(mine.astype(float), other.astype(float), rtol=0, atol=1e-4 if type_name == "float32" else 0):
                said.append(f"level {level + 1} differs in {(mine != other).sum()} pixels")
        checks.check(f"{resampling} overviews of {type_name}{' with nodata' if has_nodata else ''} are GDAL's", said)


validated()
overviews_agree()
checks.finish()
