"""Every stored TIFF of other programs is copied by `weir convert`, and GDAL sees the same pixels, colours and place in
the copy; what Weir does not read it refuses with a reason.

    fixtures_agree.py [FOLDER...]     other folders than the tests' own data
"""

import pathlib
import sys

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")

# Must be refused, as tests/fixtures_test.cpp has it.
REFUSED = {"logluv-3c-16b.tiff"}


def looked_at(path):
    """What GDAL says of a file: pixels, and what they mean."""
    raster = gdal.Open(str(path))
    pixels = raster.ReadAsArray()
    band = raster.GetRasterBand(1)
    table = band.GetColorTable()
    return {
        "pixels": pixels,
        "type": pixels.dtype.name,
        "shape": pixels.shape,
        "place": (raster.GetGeoTransform(can_return_null=True), raster.GetProjection()),
        "nodata": repr(band.GetNoDataValue()),
        # A palette grows with the bits of a sample: the colours of values that occur count.
        "colours": table and [table.GetColorEntry(int(value)) for value in numpy.unique(pixels)],
    }


def differences(path, copy):
    before, after = looked_at(path), looked_at(copy)
    problems = [f"{key} {after[key]}, before {before[key]}" for key in ("type", "shape", "place", "nodata")
                if str(after[key]) != str(before[key])]
    if not problems and before["pixels"].tobytes() != after["pixels"].tobytes():
        problems.append(f"{numpy.count_nonzero(before['pixels'] != after['pixels'])} samples differ")
    # Where one bit is grey GDAL makes a palette up, which eight bits do not need.
    described, _ = checks.weir("info", path)
    if "photometric  3, a palette" in described and before["colours"] != after["colours"]:
        problems.append(f"colours {after['colours']}, before {before['colours']}")
    return problems


def main():
    folders = [pathlib.Path(argument) for argument in sys.argv[1:]] or [checks.DATA]
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in (".tif", ".tiff"))
    if not files:
        checks.not_ok("there are files", f"none in {folders}")
    for number, path in enumerate(files):
        copy = checks.SCRATCH / f"copy_{number}.tif"
        try:
            checks.weir("convert", path, copy, "--compress", ("none", "deflate", "zstd")[number % 3], "--progress", "none")
        except RuntimeError as error:
            if path.name in REFUSED and "(tag " in str(error):
                checks.ok(f"{path.name} is refused with a reason")
            else:
                checks.not_ok(f"{path.name} is read", error)
            continue
        if path.name in REFUSED:
            checks.not_ok(f"{path.name} is refused", "it was read")
        else:
            checks.check(f"{path.name} is what GDAL reads", differences(path, copy))
    checks.finish()


main()
