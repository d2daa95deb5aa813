"""Statistics, sparse tiles and masks that `weir convert` writes are those that GDAL computes and reads."""

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
gdal.SetConfigOption("GDAL_PAM_ENABLED", "NO")
gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")

NAMES = ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT")


def made(name, pixels, nodata=None, mask=None):
    """A TIFF of bands x rows x columns by GDAL."""
    path = checks.SCRATCH / f"{name}.tif"
    types = {"uint8": gdal.GDT_Byte, "int16": gdal.GDT_Int16, "float32": gdal.GDT_Float32, "float64": gdal.GDT_Float64}
    bands, rows, columns = pixels.shape
    raster = gdal.GetDriverByName("GTiff").Create(str(path), columns, rows, bands, types[pixels.dtype.name])
    for number in range(bands):
        if nodata is not None:
            raster.GetRasterBand(number + 1).SetNoDataValue(nodata)
        raster.GetRasterBand(number + 1).WriteArray(pixels[number])
    if mask is not None:
        raster.CreateMaskBand(gdal.GMF_PER_DATASET)
        raster.GetRasterBand(1).GetMaskBand().WriteArray(mask)
    return path


def convert(source, *flags):
    path = checks.SCRATCH / "out.tif"
    checks.weir("convert", source, path, "--overwrite", "--quiet", *flags)
    return path


def statistics_differ(source, path):
    """The file's own statistics against what GDAL computes of the source, approximations off."""
    problems = []
    golden, new = gdal.Open(str(source)), gdal.Open(str(path))
    for number in range(1, golden.RasterCount + 1):
        band = golden.GetRasterBand(number)
        band.ComputeStatistics(False)
        wanted, seen = band.GetMetadata(), new.GetRasterBand(number).GetMetadata()
        for name in NAMES:
            a, b = wanted.get(f"STATISTICS_{name}"), seen.get(f"STATISTICS_{name}")
            # GDAL writes 14 digits; its running variance loses more where values are far from 0 (1e6 with 3e-4: 2e-8).
            limit = 1e-7 if name == "STDDEV" else 1e-12
            if b is None or abs(float(a) - float(b)) > limit * abs(float(a)):
                problems.append(f"band {number}: {name} is {b}, GDAL says {a}")
    return problems


def masked_statistics_differ(source, path):
    """The same of a raster with a mask, against numpy: GDAL 3.6.2 measures masked pixels of 8 bits, too."""
    problems = []
    golden, new = gdal.Open(str(source)), gdal.Open(str(path))
    valid = golden.GetRasterBand(1).GetMaskBand().ReadAsArray() > 0
    for number in range(1, golden.RasterCount + 1):
        values = golden.GetRasterBand(number).ReadAsArray()[valid].astype("float64")
        wanted = (values.min(), values.max(), values.mean(), values.std(), float(f"{100 * valid.mean():.4g}"))
        seen = new.GetRasterBand(number).GetMetadata()
        for name, a in zip(NAMES, wanted):
            b = seen.get(f"STATISTICS_{name}")
            if b is None or abs(a - float(b)) > 1e-12 * abs(a):
                problems.append(f"band {number}: {name} is {b}, numpy says {a}")
    return problems


def pixels_differ(source, path):
    golden, new = gdal.Open(str(source)), gdal.Open(str(path))
    same = numpy.array_equal(golden.ReadAsArray(), new.ReadAsArray(), equal_nan=golden.GetRasterBand(1).DataType > 5)
    return [] if same else ["GDAL reads other pixels"]


def masks_differ(source, path):
    of_golden, of_new = gdal.Open(str(source)), gdal.Open(str(path))  # a band dies with its dataset
    golden, new = of_golden.GetRasterBand(1), of_new.GetRasterBand(1)
    if new.GetMaskFlags() != gdal.GMF_PER_DATASET:
        return [f"GDAL's mask flags are {new.GetMaskFlags()}, not {gdal.GMF_PER_DATASET}: PER_DATASET"]
    same = numpy.array_equal(golden.GetMaskBand().ReadAsArray(), new.GetMaskBand().ReadAsArray())
    return [] if same else ["GDAL reads another mask"]


def tiffinfo_complains(path):
    _, said = checks.run("tiffinfo", "-D", path)
    return [line for line in said.splitlines() if line.strip() and "Unknown field with tag" not in line]


def main():
    random = numpy.random.default_rng(5)
    shape = (3, 203, 311)
    slopes = numpy.add.outer(numpy.arange(203) * 7, numpy.arange(311) * 3)[numpy.newaxis] + numpy.arange(3).reshape(3, 1, 1) * 900
    int16 = (slopes + random.integers(0, 5, shape)).astype("int16")
    float32 = (slopes / 7 + random.random(shape)).astype("float32")
    float32[:, 20:60, 50:80] = numpy.nan
    float64 = random.random(shape) * 1e-3 + 1e6  # digits that naive sums lose
    uint8 = (slopes % 251).astype("uint8")
    ways = ([], ["--interleave", "band", "--tile", "64"], ["--strip", "13", "--compress", "none", "--threads", "1"])
    for name, source in {
        "int16": made("int16", int16, nodata=int(int16[0, 3, 4])),
        "float32 with NaN": made("float32", float32),
        "float64": made("float64", float64),
        "uint8": made("uint8", uint8),
        "a real scene": checks.DATA / "L7_ETMs.tif",
        "a real elevation model": checks.DATA / "olinda_dem_utm25s.tif",
    }.items():
        for way in ways:
            path = convert(source, "--statistics", *way)
            problems = statistics_differ(source, path) + pixels_differ(source, path) + tiffinfo_complains(path)
            checks.check(f"statistics of {name} {' '.join(way)}", problems)

    holes = int16.copy()
    holes[:, 30:150, 40:250] = -32768
    for nodata in (None, -32768):
        if nodata is None:
            holes[holes == -32768] = 0
        source = made("holes", holes, nodata=nodata)
        for way in (["--tile", "32"], ["--tile", "32", "--interleave", "band"], ["--strip", "13", "--compress", "none"]):
            size = convert(source, *way).stat().st_size
            path = convert(source, "--sparse", *way)
            problems = pixels_differ(source, path)
            if path.stat().st_size >= size and "--strip" not in way:
                problems.append(f"{path.stat().st_size} bytes, and {size} without --sparse")
            checks.check(f"sparse tiles, nodata {nodata}, {' '.join(way)}", problems)
        holes[holes == 0] = -32768

    mask = numpy.where((numpy.add.outer(numpy.arange(203) * 3, numpy.arange(311) * 5) % 17 < 6), 0, 255).astype("uint8")
    mask[:64, :64] = 0
    source = made("masked", uint8, mask=mask)
    for way in ways + (["--bigtiff", "yes", "--compress", "zstd"],):
        path = convert(source, *way)
        checks.check(f"a mask {' '.join(way)}",
                     masks_differ(source, path) + pixels_differ(source, path) + tiffinfo_complains(path))
        path = convert(source, "--statistics", "--sparse", *way)
        checks.check(f"a mask, sparse, with statistics {' '.join(way)}",
                     masks_differ(source, path) + pixels_differ(source, path) + masked_statistics_differ(source, path))
    checks.finish()


main()
