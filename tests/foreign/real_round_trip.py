"""Real files through `weir convert` in several layouts and codecs: gdalcompare.py finds no difference in pixels, CRS,
geotransform, nodata, metadata and descriptions, and colour tables, units, scales and categories are the same.

Two differences are expected, and taken out: the bytes of the files, and overviews, which convert does not write.
A sidecar of the source (lc.tif.aux.xml: categories, histogram) is GDAL's own, and is not carried: so gdalcompare sees the
source without it."""

import re
import shutil
import subprocess
import sys

from osgeo import gdal

from support import checks

gdal.UseExceptions()

FILES = ("L7_ETMs.tif", "olinda_dem_utm25s.tif", "lc.tif", "geomatrix.tif")
WAYS = (
    [],
    ["--compress", "none", "--strip", "7"],
    ["--compress", "zstd", "--tile", "64x32", "--bigtiff", "yes"],
    ["--compress", "lzw", "--predictor", "none", "--interleave", "band"],
    ["--compress", "packbits", "--strip", "1", "--threads", "1"],
)


def compared(golden, new):
    """What gdalcompare.py complains of, without what is expected."""
    command = [sys.executable, "-m", "osgeo_utils.gdalcompare", str(golden), str(new)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)  # exits with the number of differences
    said = done.stdout + done.stderr
    said = said.replace("Files differ at the binary level.", "")
    said = re.sub(r"Band \d+ overview count difference:\s+Golden: \d+\s+New:\s+0", "", said)
    said = re.sub(r"Differences Found: \d+", "", said)
    return [" ".join(said.split())] if said.strip() else []


def rest_of(path):
    """What gdalcompare.py does not look at."""
    raster = gdal.Open(str(path))
    bands = [raster.GetRasterBand(number) for number in range(1, raster.RasterCount + 1)]
    tables = [band.GetColorTable() for band in bands]
    return {
        "geotransform": raster.GetGeoTransform(can_return_null=True),
        "colours": [t and [t.GetColorEntry(i) for i in range(t.GetCount())] for t in tables],
        "units": [(band.GetUnitType(), band.GetScale(), band.GetOffset()) for band in bands],
        "interpretation": [band.GetColorInterpretation() for band in bands],
        "metadata": raster.GetMetadata(),
        "point or area": raster.GetMetadataItem("AREA_OR_POINT"),
        "pixels": [band.Checksum() for band in bands],
        "type": [band.DataType for band in bands],
    }


def main():
    for name in FILES:
        golden, new = checks.SCRATCH / name, checks.SCRATCH / f"new_{name}"
        shutil.copyfile(checks.DATA / name, golden)
        for way in WAYS:
            try:
                checks.weir("convert", golden, new, "--overwrite", "--quiet", *way)
                problems = compared(golden, new)
                before, after = rest_of(golden), rest_of(new)
                problems += [f"{key}: {after[key]}, not {before[key]}" for key in before if before[key] != after[key]]
            except RuntimeError as error:
                problems = [error]
            checks.check(f"{name} {' '.join(way)}", problems)

    # The check speaks: another nodata value is a difference.
    golden, new = checks.SCRATCH / FILES[1], checks.SCRATCH / "other.tif"
    checks.weir("convert", golden, new, "--nodata", "-5", "--quiet")
    checks.check("another nodata value is seen", [] if compared(golden, new) else ["gdalcompare.py says nothing"])
    checks.finish()


main()
