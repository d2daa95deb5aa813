"""Overviews, masks and pages that GDAL and tifffile write, inside a file and beside it: every level and every mask is
what GDAL sees, and so is the place of each level."""

import itertools

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
SCENE = str(checks.DATA / "L7_ETMs.tif")
DEM = str(checks.DATA / "olinda_dem_utm25s.tif")


def levels_of(path):
    """(pixels, mask, geotransform) of each level, as GDAL reads them; mask None where all pixels are valid."""
    raster = gdal.Open(path)  # bands do not keep it open
    count = raster.GetRasterBand(1).GetOverviewCount()
    for level in range(count + 1):
        options = [] if level == 0 else [f"OVERVIEW_LEVEL={level - 1}"]
        raster = gdal.OpenEx(path, open_options=options)
        pixels = raster.ReadAsArray()
        flags = raster.GetRasterBand(1).GetMaskFlags()
        mask = raster.GetRasterBand(1).GetMaskBand().ReadAsArray() if flags & gdal.GMF_PER_DATASET else None
        yield pixels, mask, raster.GetGeoTransform(can_return_null=True)


def weir_pixels(path, level, *flags):
    out = checks.SCRATCH / "level.npy"
    checks.weir("read", path, "--output", out, "--overview", level, "--overwrite", "--quiet", *flags)
    pixels = numpy.load(out)
    return pixels if pixels.ndim == 2 else numpy.moveaxis(pixels, -1, 0)


def weir_converted(path, level, *flags):
    """What GDAL sees in a converted level: its transform, its mask."""
    out = checks.SCRATCH / "level.tif"
    checks.weir("convert", path, out, "--overview", level, "--overwrite", "--quiet", *flags)
    raster = gdal.Open(str(out))
    band = raster.GetRasterBand(1)
    mask = band.GetMaskBand().ReadAsArray() if band.GetMaskFlags() & gdal.GMF_PER_DATASET else None
    return mask, raster.GetGeoTransform(can_return_null=True)


def problems_of(path):
    problems = []
    for level, (pixels, mask, transform) in enumerate(levels_of(path)):
        seen = weir_pixels(path, level)
        if seen.shape != pixels.shape or seen.dtype != pixels.dtype:
            problems.append(f"level {level}: {seen.dtype} {seen.shape}, GDAL {pixels.dtype} {pixels.shape}")
        elif not numpy.array_equal(seen, pixels, equal_nan=pixels.dtype.kind == "f"):
            problems.append(f"level {level}: pixels differ")
        seen_mask, seen_transform = weir_converted(path, level)
        if seen_transform != transform:
            problems.append(f"level {level}: transform {seen_transform}, GDAL {transform}")
        # Not 0 is valid. GDAL says that an overview without a mask has one, all valid, where its image has one in a .msk.
        valid = numpy.ones(pixels.shape[-2:], bool) if mask is None else mask != 0
        if not numpy.array_equal(numpy.ones(valid.shape, bool) if seen_mask is None else seen_mask != 0, valid):
            problems.append(f"level {level}: masks differ")
        if seen_mask is None and level == 0 and mask is not None:
            problems.append("the mask is lost")
    try:  # one more is refused, and says how many there are
        weir_pixels(path, level + 1)
        problems.append(f"there is no overview {level + 1}")
    except RuntimeError as error:
        if f"the image has {level} overview" not in str(error):
            problems.append(str(error))
    return problems


def made(name, source, creation, mask=None, factors=(), internal=True, internal_mask=True, resampling="AVERAGE"):
    path = str(checks.SCRATCH / f"{name}.tif")
    with_mask = {"GDAL_TIFF_INTERNAL_MASK": "YES" if internal_mask else "NO"}
    for key, value in with_mask.items():
        gdal.SetConfigOption(key, value)
    bands = [1, 2, 3] if source == SCENE else [1]
    gdal.Translate(path, source, bandList=bands, maskBand=mask or "none", creationOptions=creation)
    if factors:
        raster = gdal.Open(path, gdal.GA_Update if internal else gdal.GA_ReadOnly)
        raster.BuildOverviews(resampling, list(factors))
        del raster
    return path


def variants():
    layouts = {
        "tiles": ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=32"],
        "strips": ["BLOCKYSIZE=13"],
        "planes": ["TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=128", "INTERLEAVE=BAND"],
    }
    for (layout, creation), codec, internal, internal_mask in itertools.product(
        layouts.items(), ("NONE", "DEFLATE", "ZSTD"), (True, False), (True, False)
    ):
        if not checks.FULL and codec == "ZSTD" and layout != "tiles":
            continue
        where = f"{'in' if internal else 'out'}_{'in' if internal_mask else 'out'}"
        name = f"{layout}_{codec.lower()}_{where}"
        yield name, lambda n=name, c=creation, k=codec, i=internal, m=internal_mask: made(
            n, SCENE, [*c, f"COMPRESS={k}"], "4", (2, 3, 5, 16), i, m
        )
    yield "elevation without a mask", lambda: made("dem", DEM, ["TILED=YES"], None, (2, 4))
    yield "elevation, BigTIFF, beside", lambda: made("dem_big", DEM, ["BIGTIFF=YES"], None, (3,), False)
    yield "big-endian", lambda: made("big_endian", SCENE, ["ENDIANNESS=BIG", "COMPRESS=LZW"], "4", (2, 4))


def cog():
    path = str(checks.SCRATCH / "cog.tif")
    source = made("before_cog", SCENE, [], "4")
    gdal.Translate(path, source, format="COG", creationOptions=["BLOCKSIZE=64", "COMPRESS=DEFLATE"])
    return problems_of(path)


def pages():
    """Pages of several sizes with overviews of the first."""
    path = str(checks.SCRATCH / "pages.tif")
    gdal.Translate(path, SCENE, bandList=[1], creationOptions=["TILED=YES"])
    for size in (100, 60):
        gdal.Translate(path, SCENE, bandList=[2], width=size, creationOptions=["APPEND_SUBDATASET=YES"])
    raster = gdal.Open(path, gdal.GA_Update)
    raster.BuildOverviews("NEAREST", [2, 4])
    del raster
    problems = problems_of(path)
    for page in range(3):
        wanted = gdal.Open(f"GTIFF_DIR:{page + 1}:{path}").ReadAsArray()
        if not numpy.array_equal(weir_pixels(path, 0, "--directory", page), wanted):
            problems.append(f"page {page} differs")
    return problems


def subifds():
    """A pyramid in SubIFDs, two pages of it, by tifffile."""
    path = checks.SCRATCH / "subifds.tif"
    script = f"""
import numpy, tifffile
pixels = numpy.random.default_rng(1).integers(0, 65535, (2, 300, 400), dtype=numpy.uint16)
with tifffile.TiffWriter({str(path)!r}) as out:
    for page in pixels:
        out.write(page, subifds=2, tile=(64, 64), metadata=None)
        for step in (2, 4):
            out.write(page[::step, ::step], subfiletype=1, tile=(32, 32), metadata=None)
numpy.save({str(checks.SCRATCH / 'subifds.npy')!r}, pixels)
"""
    checks.run(checks.VENV_PYTHON, "-c", script)
    problems = problems_of(str(path))
    pixels = numpy.load(checks.SCRATCH / "subifds.npy")
    for page, step in itertools.product((0, 1), (1, 2, 4)):
        seen = weir_pixels(path, {1: 0, 2: 1, 4: 2}[step], "--directory", page)
        if not numpy.array_equal(seen, pixels[page, ::step, ::step]):
            problems.append(f"page {page}, factor {step}: pixels differ")
    return problems


def info():
    """What info says of a file with everything."""
    path = str(checks.SCRATCH / "tiles_deflate_out_out.tif")
    said, _ = checks.weir("info", path)
    wanted = ["overview 1   175 x 176", "overview 4   22 x 22", f"mask         349 x 352 pixels (width x height) (in {path}.msk)"]
    return [f"info does not say '{words}': {said}" for words in wanted if words not in said]


def main():
    for name, make in variants():
        try:
            checks.check(name, problems_of(make()))
        except RuntimeError as error:
            checks.not_ok(name, error)
    checks.check("a COG with a mask", cog())
    checks.check("pages, and overviews of the first", pages())
    if checks.VENV_PYTHON:
        checks.check("pyramids in SubIFDs", subifds())
    else:
        checks.skip("pyramids in SubIFDs", "PyPI cannot be reached")
    checks.check("info lists overviews and masks", info())
    checks.finish()


main()
