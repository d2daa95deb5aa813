"""Graph files with `weir run`: slope, hillshade and statistics agree with gdaldem and gdalinfo, the vegetation index and
focal means with numpy, for several types, sizes, nodata and cell sizes."""

import json
import sys

import numpy
from osgeo import gdal, osr

from support import checks

gdal.UseExceptions()
SCRATCH = checks.SCRATCH
TYPES = {"uint8": gdal.GDT_Byte, "int16": gdal.GDT_Int16, "uint16": gdal.GDT_UInt16, "int32": gdal.GDT_Int32,
         "float32": gdal.GDT_Float32, "float64": gdal.GDT_Float64}


def write(path, pixels, geotransform=(500000, 10, 0, 5000000, 0, -10), epsg=32633, nodata=None):
    """A GeoTIFF by GDAL, of small tiles so that every raster has several."""
    height, width = pixels.shape
    made = gdal.GetDriverByName("GTiff").Create(
        str(path), width, height, 1, TYPES[pixels.dtype.name], ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"])
    made.SetGeoTransform(geotransform)
    srs = osr.SpatialReference()
    srs.ImportFromEPSG(epsg)
    made.SetProjection(srs.ExportToWkt())
    if nodata is not None:
        made.GetRasterBand(1).SetNoDataValue(nodata)
    made.GetRasterBand(1).WriteArray(pixels)
    made = None


def read(path):
    """(pixels, nodata)"""
    opened = gdal.Open(str(path))  # a band does not keep its file open
    band = opened.GetRasterBand(1)
    return band.ReadAsArray(), band.GetNoDataValue()


def terrain(kind, height, width, holes):
    """Hills with some noise; `holes`: a rectangle and single pixels of -9999 (0 for unsigned types)."""
    rows, cols = numpy.mgrid[0:height, 0:width]
    random = numpy.random.default_rng(height * width)
    pixels = 100 + 60 * numpy.sin(rows / 9) * numpy.cos(cols / 13) + random.uniform(-3, 3, (height, width))
    pixels = pixels.astype(kind)
    nodata = None
    if holes:
        nodata = 0 if kind.startswith("uint") else -9999
        pixels[height // 3:height // 2, width // 4:width // 3] = nodata
        pixels[random.uniform(size=pixels.shape) < 0.01] = nodata
    return pixels, nodata


def graph_of(source, kernel, output):
    """The text of a graph file: one kernel between reading and writing."""
    return f"""weir: 1
memory: 32M
nodes:
  dem: {{type: read_tiff, path: "{source}"}}
  bands: {{type: assemble_bands, input: dem}}
  tiles: {{type: cut_tiles, input: bands, tile: 96x80}}
  kernel: {{input: tiles, {kernel}}}
  zstd: {{type: compress_tiles, input: kernel, codec: zstd}}
  tif: {{type: write_tiff, input: zstd, path: "{output}", overwrite: true}}
"""


def run_graph(text):
    path = SCRATCH / "graph.yaml"
    path.write_text(text)
    checks.weir("run", path, "--progress", "none")


def differences(found, wanted, tolerance, is_empty=False):
    """One line for each way in which two rasters (pixels, nodata) differ. `is_empty`: nothing in them has data."""
    pixels, nodata = found
    others, other_nodata = wanted
    if pixels.shape != others.shape or pixels.dtype != others.dtype:
        return [f"{pixels.dtype} {pixels.shape} and not {others.dtype} {others.shape}"]
    if nodata != other_nodata:
        return [f"nodata {nodata} and not {other_nodata}"]
    missing = pixels == nodata
    if not numpy.array_equal(missing, others == other_nodata):
        return [f"{numpy.count_nonzero(missing != (others == other_nodata))} pixels differ in having data"]
    if missing.all() != is_empty:
        return ["nothing has data" if missing.all() else "something has data"]
    worst = numpy.abs(pixels.astype("float64") - others)[~missing].max(initial=0)
    return [f"values differ by up to {worst}"] if worst > tolerance else []


def compare(name, source, kernel, gdaldem, tolerance, is_empty=False):
    ours, theirs = SCRATCH / "ours.tif", SCRATCH / "theirs.tif"
    try:
        run_graph(graph_of(source, kernel, ours))
        mode, *flags = gdaldem
        checks.run("gdaldem", mode, source, theirs, "-q", *flags)
        checks.check(name, differences(read(ours), read(theirs), tolerance, is_empty))
    except RuntimeError as error:
        checks.not_ok(name, error)


def slopes_and_shades(name, source):
    # gdaldem sums in float32 where the input is float32; neighbours of about 150 m on pixels of 10 m differ by that.
    compare(f"slope, {name}", source, "type: slope", ["slope"], 2e-4)
    compare(f"slope in percent, {name}", source, "type: slope, unit: percent", ["slope", "-p"], 1e-3)
    compare(f"slope with edges, {name}", source, "type: slope, compute_edges: true", ["slope", "-compute_edges"], 2e-4)
    # Where rounding decides, a value can be one off.
    compare(f"hillshade, {name}", source, "type: hillshade", ["hillshade"], 1)
    compare(f"hillshade with z_factor and light, {name}", source,
            "type: hillshade, z_factor: 2.5, azimuth: 200, altitude: 30, compute_edges: true",
            ["hillshade", "-z", "2.5", "-az", "200", "-alt", "30", "-compute_edges"], 1)


def statistics(name, source):
    output = SCRATCH / "statistics.json"
    try:
        run_graph(f"""weir: 1
memory: 32M
nodes:
  dem: {{type: read_tiff, path: "{source}"}}
  bands: {{type: assemble_bands, input: dem}}
  tiles: {{type: cut_tiles, input: bands, tile: 96x80}}
  statistics: {{type: statistics, input: tiles, path: "{output}", overwrite: true}}
""")
        found = json.loads(output.read_text())["samples"][0]
        # gdalinfo -stats writes beside the file what it found.
        said, _ = checks.run("gdalinfo", "-json", "-stats", "--config", "GDAL_PAM_ENABLED", "NO", source)
        wanted = json.loads(said)["bands"][0]
        pixels, nodata = read(source)
        data = pixels[(pixels != nodata) & (pixels == pixels)]
        problems = []
        for ours, theirs in (("min", "minimum"), ("max", "maximum"), ("mean", "mean"), ("stddev", "stdDev")):
            # gdalinfo prints three digits after the point.
            if abs(found[ours] - wanted[theirs]) > 6e-4:
                problems.append(f"{ours} is {found[ours]}, for gdalinfo {wanted[theirs]}")
        if found["count"] != data.size or found["nodata"] != pixels.size - data.size:
            problems.append(f"{found['count']} values and {found['nodata']} without, not {data.size}")
        if abs(found["mean"] - data.mean(dtype="float64")) > 1e-12 * abs(data.mean(dtype="float64")):
            problems.append(f"mean is {found['mean']}, for numpy {data.mean(dtype='float64')}")
        checks.check(name, problems)
    except RuntimeError as error:
        checks.not_ok(name, error)


def index(name, kind):
    """(nir - red) / (nir + red), by numpy."""
    height, width = 150, 170
    nir, nodata = terrain(kind, height, width, True)
    red, _ = terrain("uint8", width, height, True)
    red = numpy.ascontiguousarray(red.T)
    write(SCRATCH / "nir.tif", nir, nodata=nodata)
    write(SCRATCH / "red.tif", red, nodata=0)
    output = SCRATCH / "ndvi.tif"
    nodes = "".join(f"""
  {band}: {{type: read_tiff, path: "{SCRATCH / band}.tif"}}
  {band}_bands: {{type: assemble_bands, input: {band}}}
  {band}_tiles: {{type: cut_tiles, input: {band}_bands, tile: 64}}""" for band in ("nir", "red"))
    try:
        run_graph(f"""weir: 1
memory: 32M
nodes:{nodes}
  ndvi: {{type: normalized_difference, inputs: {{positive: nir_tiles, negative: red_tiles}}}}
  deflate: {{type: compress_tiles, input: ndvi}}
  tif: {{type: write_tiff, input: deflate, path: "{output}", overwrite: true}}
""")
        p, n = nir.astype("float64"), red.astype("float64")
        with numpy.errstate(all="ignore"):
            wanted = ((p - n) / (p + n)).astype("float32")
        wanted[(nir == nodata) | (red == 0) | (p + n == 0)] = -9999
        checks.check(name, differences(read(output), (wanted, -9999.0), 0))
    except RuntimeError as error:
        checks.not_ok(name, error)


def focal(name, source, radius):
    """The mean of what has data, by numpy, as float64 sums of shifted copies."""
    pixels, nodata = read(source)
    has_data = (pixels != nodata) & (pixels == pixels)
    values = numpy.pad(numpy.where(has_data, pixels, 0).astype("float64"), radius)
    counts = numpy.pad(has_data.astype("float64"), radius)
    total, count = numpy.zeros(pixels.shape), numpy.zeros(pixels.shape)
    for row in range(2 * radius + 1):
        for col in range(2 * radius + 1):
            part = (slice(row, row + pixels.shape[0]), slice(col, col + pixels.shape[1]))
            total += values[part]
            count += counts[part]
    wanted = numpy.where(count > 0, total / numpy.maximum(count, 1), -1e6).astype("float32")
    output = SCRATCH / "focal.tif"
    try:
        run_graph(graph_of(source, f'type: focal_mean, radius: {radius}, nodata: "-1e6"', output))
        checks.check(name, differences(read(output), (wanted, -1e6), 2e-5))
    except RuntimeError as error:
        checks.not_ok(name, error)


def main():
    source = SCRATCH / "source.tif"
    for kind in TYPES:
        for height, width, holes in ((250, 301, True), (67, 500, False)):
            pixels, nodata = terrain(kind, height, width, holes)
            write(source, pixels, nodata=nodata)
            name = f"{kind} {width} x {height}{', holes' if holes else ''}"
            slopes_and_shades(name, source)
            statistics(f"statistics, {name}", source)
            if holes:
                focal(f"focal mean of 3 x 3, {name}", source, 1)
                focal(f"focal mean of 21 x 21, {name}", source, 10)
        index(f"vegetation index, {kind}", kind)

    pixels, nodata = terrain("float32", 200, 220, True)
    write(source, pixels, (500000, 10, 0, 5000000, 0, -25), nodata=nodata)
    slopes_and_shades("pixels of 10 x 25", source)
    write(source, pixels, (12, 1 / 3600, 0, 47, 0, -1 / 3600), epsg=4326, nodata=nodata)
    compare("slope of a raster on degrees, with its scale", source, "type: slope, scale: 111120",
            ["slope", "-s", "111120"], 5e-4)
    try:
        run_graph(graph_of(source, "type: slope", SCRATCH / "ours.tif"))
        checks.not_ok("slope of a raster on degrees wants a scale", "it was taken without")
    except RuntimeError as error:
        checks.check("slope of a raster on degrees wants a scale", [] if "111120" in str(error) else [str(error)])
    for shape in ((1, 1), (1, 40), (40, 1), (2, 2)):
        write(source, terrain("float32", *shape, False)[0])
        compare(f"slope of {shape[1]} x {shape[0]} pixels is nodata", source, "type: slope", ["slope"], 0, True)
    compare("slope of the elevation sample", checks.DATA / "olinda_dem_utm25s.tif", "type: slope", ["slope"], 1e-3)
    checks.finish()


if "yaml-cpp" not in checks.weir("--version")[0]:
    checks.skip("kernels agree", "this weir was built without yaml-cpp, so without graph files")
    sys.exit(0)
main()
