"""RPCs and ground control points of a window and of an overview are GDAL's: a place on the ground lies on the same
spot of the picture as in the whole."""

import json

from osgeo import gdal, osr

from support import checks

gdal.UseExceptions()
osr.UseExceptions()
SOURCE, PART = str(checks.SCRATCH / "source.tif"), str(checks.SCRATCH / "part.tif")
HEIGHT, WIDTH = 161, 203  # halves are rounded up
# Out of line with the raster, and all but affine: lines go south with a bend, samples east.
RPC = {"LINE_OFF": "79.8087215804", "SAMP_OFF": "101.5", "LAT_OFF": "17.5", "LONG_OFF": "-149.6", "HEIGHT_OFF": "500",
       "LINE_SCALE": "80.25", "SAMP_SCALE": "102", "LAT_SCALE": "0.1", "LONG_SCALE": "0.2", "HEIGHT_SCALE": "500",
       "LINE_NUM_COEFF": "0.01 0.02 -1 0.003" + " 0.001" * 16, "LINE_DEN_COEFF": "1 0.001 0.002" + " 0" * 17,
       "SAMP_NUM_COEFF": "0.02 1 0.01 0.002" + " -0.001" * 16, "SAMP_DEN_COEFF": "1 0.002 0.001" + " 0" * 17,
       "ERR_BIAS": "0.5", "ERR_RAND": "0.25"}
NUMBERS = [key for key in RPC if "COEFF" not in key]
GROUND = [(-149.7, 17.45, 300), (-149.6, 17.5, 500), (-149.45, 17.58, 900)]


def made(points=()):
    raster = gdal.GetDriverByName("GTiff").Create(SOURCE, WIDTH, HEIGHT, 1, options=["TILED=YES"])
    if points:
        crs = osr.SpatialReference()
        crs.ImportFromEPSG(4326)
        raster.SetGCPs([gdal.GCP(x, y, 0, col, row) for col, row, x, y in points], crs)
    else:
        raster.SetMetadata(RPC, "RPC")
    raster.GetRasterBand(1).Fill(7)
    raster.BuildOverviews("NEAREST", [2, 4])


def rpc_of(path):
    found = gdal.Open(path).GetMetadata("RPC") or {}
    return {key: float(found[key]) for key in NUMBERS if key in found} | {
        key: [float(number) for number in found[key].split()] for key in RPC if "COEFF" in key and key in found}


def spots(path):
    """(column, row) of GROUND, from the raster's corner."""
    transformer = gdal.Transformer(gdal.Open(path), None, ["METHOD=RPC"])
    return [transformer.TransformPoint(1, *place)[1][:2] for place in GROUND]


def far(found, wanted, what):
    if all(abs(f - w) < 1e-9 * max(1, abs(w)) for f, w in zip(found, wanted)) and len(found) == len(wanted):
        return []
    return [f"{what} {found}, wanted {wanted}"]


def same_rpc(found, wanted):
    problems = [] if found.keys() == wanted.keys() else [f"{sorted(found)} and not {sorted(wanted)}"]
    for key in found.keys() & wanted.keys():
        one, other = ([v] if isinstance(v, float) else v for v in (found[key], wanted[key]))
        problems += far(one, other, key)
    return problems


def convert(*flags):
    checks.weir("convert", SOURCE, PART, "--overwrite", "--quiet", *flags)


def windows():
    for col, row, width, height in ((10, 20, 50, 60), (0, 0, 100, 100), (64, 1, 139, 160)):
        convert("--window", f"{col},{row},{width},{height}")
        theirs = str(checks.SCRATCH / "theirs.tif")
        checks.run("gdal_translate", "-q", "-srcwin", col, row, width, height, SOURCE, theirs)
        problems = same_rpc(rpc_of(PART), rpc_of(theirs))
        for (x, y), (whole_x, whole_y) in zip(spots(PART), spots(SOURCE)):
            problems += far((x, y), (whole_x - col, whole_y - row), "a place on the ground")
        yield f"RPCs of the window {col},{row},{width},{height} are those of gdal_translate -srcwin", problems


def overview(level):
    convert("--overview", level)
    raster = gdal.Open(PART)
    across, down = raster.RasterXSize / WIDTH, raster.RasterYSize / HEIGHT
    problems = []
    for (x, y), (whole_x, whole_y) in zip(spots(PART), spots(SOURCE)):
        problems += far((x, y), (whole_x * across, whole_y * down), "a place on the ground")
    return problems


def overview_in_rasterio(level):
    """GDAL 3.6 takes half a pixel too little here, rasterio's own GDAL does not."""
    script = f"""
import json, rasterio
with rasterio.open({SOURCE!r}, overview_level={level - 1}) as raster:
    print(json.dumps([raster.rpcs.line_off, raster.rpcs.samp_off, raster.rpcs.line_scale, raster.rpcs.samp_scale]))
"""
    theirs = json.loads(checks.run(checks.VENV_PYTHON, "-c", script)[0])
    ours = rpc_of(PART)
    return far([ours[key] for key in ("LINE_OFF", "SAMP_OFF", "LINE_SCALE", "SAMP_SCALE")], theirs, "offsets and scales")


def whole_and_cog():
    for flags in ([], ["--to", "cog", "--tile", "64"]):
        convert(*flags)
        problems = same_rpc(rpc_of(PART), rpc_of(SOURCE))
        if flags and checks.run("tiffinfo", PART)[0].count("50844") != 1:
            problems.append("an overview of the COG has RPCs, too")
        yield f"RPCs are carried {' '.join(flags)}", problems


def points():
    placed = [(0, 0, 10, 50), (200.5, 0.25, 11, 50), (200, 160, 11, 49), (0, 160, 10, 49)]
    made(placed)
    for flags, place in ((["--window", "10,20,50,60"], lambda x, y: (x - 10, y - 20)),
                         (["--overview", 1], lambda x, y: (x * 102 / WIDTH, y * 81 / HEIGHT))):
        convert(*flags)
        found = [n for p in gdal.Open(PART).GetGCPs() for n in (p.GCPPixel, p.GCPLine, p.GCPX, p.GCPY)]
        wanted = [n for col, row, x, y in placed for n in (*place(col, row), x, y)]
        yield f"control points of {flags[0][2:]} {flags[1]} lie where they lay", far(found, wanted, "points")


def main():
    made()
    for name, problems in windows():
        checks.check(name, problems)
    for level in (1, 2):
        checks.check(f"RPCs of overview {level} keep places on the ground where they were", overview(level))
        name = f"RPCs of overview {level} are those of rasterio"
        if checks.VENV_PYTHON:
            checks.check(name, overview_in_rasterio(level))
        else:
            checks.skip(name, "there is no venv")
    for name, problems in (*whole_and_cog(), *points()):
        checks.check(name, problems)
    checks.finish()


main()
