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


def levels_of(path):
    """What GDAL sees of each level, from the full raster on."""
    raster = gdal.Open(str(path))
    levels = []
    for level in range(raster.GetRasterBand(1).GetOverviewCount() + 1):
        opened = raster if level == 0 else gdal.OpenEx(str(path), open_options=[f"OVERVIEW_LEVEL={level - 1}"])
        levels.append(opened.ReadAsArray())
    return levels


def warned(path):
    warnings, errors, _ = validate_cloud_optimized_geotiff.validate(str(path), full_check=True)
    return [f"validator: {line}" for line in [*warnings, *errors]]


def codecs_keep_or_stay_near():
    """Each level against the one of an uncompressed COG. A level's error is that of one encoding, however many levels lie below: lerc
    keeps its bound on all; jpeg and webp are as near on each as GDAL's COG driver is on the full raster at the same quality."""
    rgb, grey = pixels_of("uint8", (300, 420), 3, False), pixels_of("uint8", (300, 420), 1, False)
    numbers, floats = pixels_of("uint16", (300, 420), 2, True), pixels_of("float32", (300, 420), 1, False)
    cases = [  # pixels, photometric, flags, largest error (None: as GDAL's own), what GDAL calls it
        (rgb, 2, ["--compress", "jpeg", "--quality", "85"], None, "YCbCr JPEG"),
        (grey, 1, ["--compress", "jpeg", "--quality", "60"], None, "JPEG"),
        (rgb, 2, ["--compress", "webp", "--quality", "80"], None, "WEBP"),
        (rgb, 2, ["--compress", "webp", "--lossless"], 0, "WEBP"),
        (numbers, 1, ["--compress", "lerc", "--max-error", "3"], 3, "LERC"),
        (floats, 1, ["--compress", "lerc", "--max-error", "0.25"], 0.25, "LERC"),
        (floats, 1, ["--compress", "lerc_zstd"], 0, "LERC_ZSTD"),
        (numbers, 1, ["--compress", "lzma"], 0, "LZMA"),
        (rgb, 2, ["--compress", "packbits"], 0, "PACKBITS"),
    ]
    source, target, plain, peer = (checks.SCRATCH / name for name in ("source.tif", "cog.tif", "plain.tif", "peer.tif"))
    for pixels, photometric, flags, most, named in cases:
        name = f"COG {' '.join(flags)} of {pixels.dtype} x{pixels.shape[2]}"
        plain_tiff.write(source, pixels, photometric=photometric)
        common = ["--to", "cog", "--tile", "64", "--overwrite", "--quiet"]
        checks.weir("convert", source, target, *common, *flags)
        checks.weir("convert", source, plain, *common, "--compress", "none")
        said = warned(target)
        raster = gdal.Open(str(target))
        if raster.GetMetadata("IMAGE_STRUCTURE").get("COMPRESSION") != named:
            said.append(f"GDAL calls it {raster.GetMetadata('IMAGE_STRUCTURE')}")
        if most is None:
            quality = flags[flags.index("--quality") + 1]
            gdal.Translate(str(peer), str(source), format="COG", creationOptions=[f"COMPRESS={flags[1].upper()}", f"QUALITY={quality}",
                           "BLOCKSIZE=128", "RESAMPLING=AVERAGE"])
            limit = numpy.abs(levels_of(peer)[0].astype(float) - levels_of(plain)[0]).mean()
        for level, (seen, right) in enumerate(zip(levels_of(target), levels_of(plain), strict=True)):
            error = numpy.abs(seen.astype(float) - right.astype(float))
            if most is not None and error.max() > most:
                said.append(f"level {level} is {error.max()} off")
            if most is None and error.mean() > 1.5 * limit:
                said.append(f"level {level} is {error.mean():.2f} off in the mean, GDAL's full raster {limit:.2f}")
            if (most is None or most > 0) and error.max() == 0:
                said.append(f"level {level} is not lossy at all")
        checks.check(name, said)


def contents_are_seen():
    source, target = checks.SCRATCH / "source.tif", checks.SCRATCH / "cog.tif"

    def converted(name, *flags):
        checks.weir("convert", source, target, "--to", "cog", "--tile", "64", "--overwrite", "--quiet", *flags)
        return gdal.Open(str(target)), warned(target)

    pixels = pixels_of("uint16", (500, 400), 1, False)
    pixels[:300, :] = 0
    plain_tiff.write(source, pixels)
    raster, said = converted("sparse", "--sparse", "--statistics", "--compress", "zstd")
    band = raster.GetRasterBand(1)
    for tile, is_there in [((0, 0), False), ((5, 3), False), ((0, 7), True)]:
        if (band.GetMetadataItem(f"BLOCK_OFFSET_{tile[0]}_{tile[1]}", "TIFF") is not None) != is_there:
            said.append(f"tile {tile} is {'missing' if is_there else 'there'}")
    if not (raster.ReadAsArray() == pixels[:, :, 0]).all():
        said.append("GDAL sees other pixels")
    measured = [float(band.GetMetadataItem(f"STATISTICS_{what}")) for what in ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV")]
    right = [pixels.min(), pixels.max(), pixels.mean(), pixels.std()]
    if not numpy.allclose(measured, right, rtol=1e-9):
        said.append(f"statistics are {measured}, not {right}")
    checks.check("a sparse COG with statistics is valid, and is what it was", said)

    pixels = pixels_of("uint8", (300, 420), 1, False)
    plain_tiff.write(source, pixels)
    palette = gdal.ColorTable()
    for index in range(256):
        palette.SetColorEntry(index, (index, 255 - index, index // 2, 255))
    painted = checks.SCRATCH / "painted.tif"
    copy = gdal.GetDriverByName("GTiff").Create(str(painted), 420, 300, 1, gdal.GDT_Byte, ["PHOTOMETRIC=PALETTE"])
    copy.GetRasterBand(1).SetColorTable(palette)
    copy.GetRasterBand(1).WriteArray(pixels[:, :, 0])
    del copy
    painted.rename(source)
    raster, said = converted("palette")
    colours = raster.GetRasterBand(1).GetColorTable()
    if colours is None or colours.GetColorEntry(7) != (7, 248, 3, 255):
        said.append("GDAL sees no such colours")
    for level, seen in enumerate(levels_of(target)):
        if not (seen == pixels[:: 2**level, :: 2**level, 0]).all():
            said.append(f"level {level} is not the nearest pixels")
    checks.check("a COG of a palette has nearest overviews", said)

    both = pixels_of("float32", (200, 150), 2, False)
    numbers = (both[:, :, :1] + 1j * both[:, :, 1:]).astype("complex64")
    plain_tiff.write(source, numbers)
    raster, said = converted("complex")
    if raster.GetRasterBand(1).DataType != gdal.GDT_CFloat32 or not (levels_of(target)[2] == numbers[::4, ::4, 0]).all():
        said.append("GDAL sees other numbers")
    checks.check("a COG of complex numbers has nearest overviews", said)

    pixels = pixels_of("int16", (300, 420), 2, False)
    plain_tiff.write(source, pixels)
    turned, points = (500000, 10, 2, 4600000, 3, -20), [(0, 0, 10, 50), (420, 0, 11, 50.5), (0, 300, 10, 49)]
    as_flag = [",".join(map(str, numbers)) for numbers in [turned, *points]]
    places = [(["--geotransform", as_flag[0]], lambda raster: raster.GetGeoTransform() == turned),
              ([word for point in as_flag[1:] for word in ("--gcp", point)],
               lambda raster: [(p.GCPPixel, p.GCPLine, p.GCPX, p.GCPY) for p in raster.GetGCPs()] == points)]
    for flags, is_right in places:
        raster, said = converted("place", *flags, "--crs", "EPSG:32633", "--band", "2:name=depth,unit=m,scale=0.5,offset=-1", "--metadata",
                                 "AREA=north")
        band = raster.GetRasterBand(2)
        described = band.GetDescription(), band.GetUnitType(), band.GetScale(), band.GetOffset(), raster.GetMetadataItem("AREA")
        if described != ("depth", "m", 0.5, -1, "north"):
            said.append("GDAL sees no such band")
        if not is_right(raster):
            said.append("GDAL sees another place")
        if (raster.GetSpatialRef() or raster.GetGCPSpatialRef()).GetAuthorityCode(None) != "32633":
            said.append("GDAL sees another CRS")
        checks.check(f"a COG with {flags[0]} is valid, and lies there", said)


validated()
overviews_agree()
codecs_keep_or_stay_near()
contents_are_seen()
checks.finish()
