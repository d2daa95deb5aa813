"""Metadata that `weir convert` writes and carries is what GDAL sees: items, domains, names, units, scales, offsets, any
characters."""

import sys

from osgeo import gdal

from support import checks

gdal.UseExceptions()

TRICKY = 'a & b < c > "d" \'e\' &amp; &lt; &#65; é ü = , /'


def made(path):
    """A raster of two bands with metadata of every kind, by GDAL."""
    raster = gdal.GetDriverByName("GTiff").Create(str(path), 40, 30, 2, gdal.GDT_Int16)
    raster.SetMetadata({"TITLE": TRICKY, "A&B": "x\ny", "EMPTY": ""})
    raster.SetMetadata({"BITS": TRICKY}, "SENSOR")
    for number in (1, 2):
        band = raster.GetRasterBand(number)
        band.SetDescription(f"{TRICKY} {number}")
        band.SetUnitType(f"m & s {number}")
        band.SetScale(0.1 * number)
        band.SetOffset(-3.0 / number)
        band.SetMetadata({"K": TRICKY, "STATISTICS_MEAN": str(number)})
        band.Fill(number * 7)


def without_area(items):
    return {key: value for key, value in items.items() if key != "AREA_OR_POINT"}


def seen(path):
    raster = gdal.Open(str(path))
    sights = {"items": without_area(raster.GetMetadata()), "domain": raster.GetMetadata("SENSOR")}
    for number in range(1, raster.RasterCount + 1):
        band = raster.GetRasterBand(number)
        sights[f"band {number}"] = {
            "name": band.GetDescription(),
            "unit": band.GetUnitType(),
            "scale": band.GetScale(),
            "offset": band.GetOffset(),
            "items": band.GetMetadata(),
        }
    return sights


def differences(sights, wanted):
    return [f"GDAL sees {key} {sights.get(key)}, wanted {wanted[key]}" for key in wanted if sights.get(key) != wanted[key]]


def convert(source, path, *flags):
    checks.weir("convert", source, path, "--overwrite", "--quiet", *flags)
    return seen(path)


def main():
    source, path = checks.SCRATCH / "source.tif", checks.SCRATCH / "out.tif"
    made(source)
    wanted = seen(source)
    for flags in ([], ["--compress", "none", "--strip", "7"], ["--bigtiff", "yes", "--interleave", "band"]):
        checks.check(f"GDAL's metadata is carried {' '.join(flags)}", differences(convert(source, path, *flags), wanted))

    changed = seen(source)
    changed["items"] = {**changed["items"], "TITLE": TRICKY + " new", "MORE": "x=y"}
    changed["band 2"] = {**changed["band 2"], "name": TRICKY, "scale": 0.25, "offset": 4.0, "unit": "a,b"}
    sights = convert(source, path, "--metadata", f"TITLE={TRICKY} new", "--metadata", "MORE=x=y",
                     "--band", f"2:name={TRICKY},scale=0.25,offset=4", "--band", "2:unit=a,b")
    checks.check("added and replaced metadata is what GDAL sees", differences(sights, changed))

    sights = convert("terrain:300x200", path, "--metadata", f"TITLE={TRICKY}", "--band", "1:name=height,unit=m")
    checks.check(
        "a raster without metadata gets some",
        differences(sights, {"items": {"TITLE": TRICKY},
                             "band 1": {"name": "height", "unit": "m", "scale": None, "offset": None, "items": {}}}),
    )
    checks.finish()


main()
