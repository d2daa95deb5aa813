"""Rasters as Zarr arrays: what `weir convert` makes of GeoTIFFs is opened by PyPI's `zarr` (v2, v3, shards) and by GDAL (v2) with the pixels
that GDAL reads from the GeoTIFF, and comes back as the GeoTIFF that it was; and what GDAL and zarr-python wrote, with the
attributes of conventions, becomes a GeoTIFF that GDAL finds in its place."""

import shutil

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()

NAMES = ["geo-5b.tif", "L7_ETMs.tif", "int16_zstd.tif", "geomatrix.tif", "random-fp16.tiff"]
WAYS = {
    "v3": ["--tile", "100x64"],
    "v3 shards": ["--tile", "32", "--shard", "96x128", "--compress", "gzip"],
    "v3 pixels interleaved": ["--interleave", "pixel", "--tile", "64", "--shard", "128", "--compress", "none"],
    "v2": ["--format", "2", "--tile", "100x64", "--compress", "zstd"],
    "v2 blosc": ["--format", "2", "--compress", "blosc", "--interleave", "pixel"],
}

READ = """
import sys, numpy, zarr
array = zarr.open_array(sys.argv[1], mode="r")
numpy.save(sys.argv[2], array[...])
"""


def place(path):
    """What GDAL says of a GeoTIFF beside its pixels."""
    data = gdal.Open(str(path))
    bands = [data.GetRasterBand(i + 1) for i in range(data.RasterCount)]
    return {
        "transform": data.GetGeoTransform(can_return_null=True),
        "crs": data.GetProjection(),
        "points": [(p.GCPPixel, p.GCPLine, p.GCPX, p.GCPY) for p in data.GetGCPs()],
        "nodata": [str(band.GetNoDataValue()) for band in bands],
        "names": [band.GetDescription() for band in bands],
        "scales": [(band.GetScale(), band.GetOffset(), band.GetUnitType()) for band in bands],
        "metadata": data.GetMetadata(),
    }


def differences(a, b):
    return [f"{name}: {a[name]} and {b[name]}" for name in a if a[name] != b[name]]


def pixels(path):
    return gdal.Open(str(path)).ReadAsArray()


def same(a, b):
    return [] if a.shape == b.shape and numpy.array_equal(a, b, equal_nan=a.dtype.kind == "f") else ["other pixels"]


def out_and_back(name, way, options):
    source = checks.DATA / name
    array, back = checks.SCRATCH / "a.zarr", checks.SCRATCH / "back.tif"
    extra = ["--band", "1:name=first,scale=0.5,offset=-3,unit=K"]
    checks.weir("convert", source, checks.SCRATCH / "with.tif", *extra, "--overwrite", "--quiet")
    source = checks.SCRATCH / "with.tif"
    checks.weir("convert", source, array, *options, "--overwrite", "--quiet")
    checks.weir("convert", array, back, "--overwrite", "--quiet")
    wanted = pixels(source)
    checks.check(f"{name} {way}: to Zarr and back", same(wanted, pixels(back)) + differences(place(source), place(back)))

    def in_order(read):
        return numpy.moveaxis(read, -1, 0) if read.ndim == 3 and "pixel" in options else read

    if checks.VENV_PYTHON:
        checks.run(checks.VENV_PYTHON, "-c", READ, array, checks.SCRATCH / "read.npy")
        checks.check(f"{name} {way}: zarr-python", same(wanted, in_order(numpy.load(checks.SCRATCH / "read.npy"))))
    if "2" in options:
        opened = gdal.OpenEx(str(array), gdal.OF_MULTIDIM_RASTER)  # both are kept: 3.6 frees them under the array
        group = opened.GetRootGroup()
        inside = group.OpenMDArray(group.GetMDArrayNames()[0])
        problems = same(wanted, in_order(inside.ReadAsArray()))
        original = gdal.Open(str(source))
        crs = original.GetSpatialRef()
        if crs is not None and crs.GetAuthorityCode(None) is not None:
            read = inside.GetSpatialRef()
            if read is None or not read.IsSame(crs):
                problems.append("another CRS")
        nodata = original.GetRasterBand(1).GetNoDataValue()
        if nodata is not None and inside.GetNoDataValueAsDouble() != nodata:
            problems.append(f"nodata {inside.GetNoDataValueAsDouble()} for {nodata}")
        checks.check(f"{name} {way}: GDAL", problems)


def from_gdal():
    source, array, back = checks.DATA / "int16_zstd.tif", checks.SCRATCH / "g.zarr", checks.SCRATCH / "g.tif"
    shutil.rmtree(array, ignore_errors=True)
    gdal.Translate(str(array), str(source), format="Zarr", creationOptions=["COMPRESS=ZSTD", "BLOCKSIZE=50,40"])
    checks.weir("convert", array, back, "--overwrite", "--quiet")
    a, b = place(source), place(back)
    problems = same(pixels(source), pixels(back))
    left, right = gdal.Open(str(source)), gdal.Open(str(back))
    if a["crs"] and not left.GetSpatialRef().IsSame(right.GetSpatialRef()):
        problems.append("another CRS")
    problems += [f"nodata: {a['nodata']} and {b['nodata']}"] if a["nodata"] != b["nodata"] else []
    checks.check("GDAL's v2 array becomes a GeoTIFF", problems)


WRITE = """
import sys, numpy, zarr
for name, shards in (("plain", None), ("sharded", (3, 40, 60))):
    array = zarr.create_array(sys.argv[1] + "/" + name, shape=(3, 90, 110), chunks=(1, 20, 30), shards=shards, dtype="float32",
        dimension_names=["time", "lat", "lon"], fill_value=float("nan"), overwrite=True, attributes={
            "proj:code": "EPSG:4326", "spatial:dimensions": ["lat", "lon"], "spatial:transform": [0.5, 0.0, 10.0, 0.0, -0.5, 60.0],
            "scale_factor": 0.25, "add_offset": 7.0, "units": "m"})
    values = numpy.arange(3 * 90 * 110, dtype="float32").reshape(3, 90, 110)
    array[:, :50, :] = values[:, :50, :]
    values[:, 50:, :] = numpy.nan
numpy.save(sys.argv[1] + "/values.npy", values)
"""


def from_zarr_python():
    if not checks.VENV_PYTHON:
        checks.skip("zarr-python's arrays become GeoTIFFs", "PyPI cannot be reached")
        return
    folder, back = checks.SCRATCH / "z.zarr", checks.SCRATCH / "z.tif"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checks.run(checks.VENV_PYTHON, "-c", WRITE, folder)
    for name in ("plain", "sharded"):
        checks.weir("convert", folder / name, back, "--overwrite", "--quiet")
        seen = place(back)
        problems = same(numpy.load(folder / "values.npy"), pixels(back))
        if seen["transform"] != (10, 0.5, 0, 60, 0, -0.5):
            problems.append(f"transform {seen['transform']}")
        opened = gdal.Open(str(back))
        if opened.GetSpatialRef().GetAuthorityCode(None) != "4326":
            problems.append("another CRS")
        if seen["scales"] != [(0.25, 7.0, "m")] * 3:
            problems.append(f"scales {seen['scales']}")
        checks.check(f"zarr-python's {name} array becomes a GeoTIFF", problems)


def graph_file():
    """The printed graph makes the same bytes as the command."""
    source = checks.DATA / "geo-5b.tif"
    options = ["--tile", "64", "--shard", "128", "--nodata", "0", "--metadata", "A=b"]
    made = {}
    for which in ("command", "graph"):
        array = checks.SCRATCH / "graph.zarr"
        shutil.rmtree(array, ignore_errors=True)
        if which == "command":
            checks.weir("convert", source, array, *options, "--quiet")
        else:
            printed, _ = checks.weir("convert", source, array, *options, "--print-graph")
            (checks.SCRATCH / "graph.yaml").write_text(printed)
            checks.weir("run", checks.SCRATCH / "graph.yaml", "--quiet")
        made[which] = {str(f.relative_to(array)): f.read_bytes() for f in sorted(array.rglob("*")) if f.is_file()}
    checks.check("a printed graph makes the same bytes", [] if made["command"] == made["graph"] else ["other bytes"])


for name in NAMES:
    for way, options in WAYS.items():
        try:
            out_and_back(name, way, options)
        except Exception as error:
            checks.not_ok(f"{name} {way}", error)
for job in (from_gdal, from_zarr_python, graph_file):
    try:
        job()
    except Exception as error:
        checks.not_ok(job.__name__, error)
checks.finish()
