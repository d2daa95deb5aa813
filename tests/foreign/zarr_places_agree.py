"""Rasters that GDAL's Zarr driver wrote (v2: its v3, up to 3.10, has no codec that makes bytes, which the specification asks for, and nobody
else reads it), and datasets in the layout of xarray and rioxarray
(v2 and v3, with and without consolidated metadata, by PyPI's zarr), lie in Weir where GDAL sees the GeoTIFF that they were made
from: transform, CRS, nodata. `weir info` says the same as the GeoTIFF that `weir convert` makes. Datasets that Weir writes lie where GDAL (v2),
xarray and rioxarray see the GeoTIFF."""

import json
import shutil

from osgeo import gdal, osr

from support import checks

gdal.UseExceptions()

# Of a pixel: what 1-D coordinates lose, which are doubles.
TOLERANCE = 1e-6

VRT = """<VRTDataset rasterXSize="111" rasterYSize="111"><SRS>{srs}</SRS><GeoTransform>{transform}</GeoTransform>
<VRTRasterBand dataType="Float32" band="1"><NoDataValue>-9999</NoDataValue><SimpleSource>
<SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""

PLACES = {
    "north-up UTM": ("EPSG:32725", (288776.25, 89.99406734945116, 0, 9120760.75, 0, -89.99406734945116)),
    "south-up UTM": ("EPSG:32725", (288776.25, 30, 0, 9110000, 0, 30)),
    "degrees": ("EPSG:4326", (-35.1, 1 / 1200, 0, -7.9, 0, -1 / 3600)),
    "no code": ("+proj=laea +lat_0=10 +lon_0=-20 +ellps=GRS80 +units=m", (0, 250, 0, 0, 0, -250)),
}


def made(srs, transform, path):
    """A GeoTIFF in that place."""
    spatial = osr.SpatialReference()
    spatial.SetFromUserInput(srs)
    vrt = VRT.format(srs=spatial.ExportToWkt().replace("<", "&lt;"), transform=",".join(repr(float(n)) for n in transform),
                     source=checks.DATA / "olinda_dem_utm25s.tif")
    gdal.Translate(str(path), vrt)
    return path


def same_place(a, b):
    left, right = gdal.Open(str(a)), gdal.Open(str(b))
    one, other = left.GetGeoTransform(can_return_null=True), right.GetGeoTransform(can_return_null=True)
    problems = []
    if (one is None) != (other is None):
        problems.append(f"transform {one} and {other}")
    elif one is not None:
        pixel = max(abs(n) for n in (one[1], one[2]))
        far = [max(left.RasterXSize, left.RasterYSize) if i % 3 else 1 for i in range(6)]
        if any(abs(m - n) * f > TOLERANCE * pixel for m, n, f in zip(one, other, far)):
            problems.append(f"transform {one} and {other}")
    crs, read = left.GetSpatialRef(), right.GetSpatialRef()
    if (crs is None) != (read is None) or (crs is not None and not crs.IsSame(read)):
        problems.append("another CRS")
    nodata = [data.GetRasterBand(1).GetNoDataValue() for data in (left, right)]
    if nodata[0] != nodata[1]:
        problems.append(f"nodata {nodata[0]} and {nodata[1]}")
    if left.ReadAsArray().tobytes() != right.ReadAsArray().tobytes():
        problems.append("other pixels")
    return problems


def line(text, word):
    return [part for part in text.splitlines() if part.strip().startswith(word)]


def compare(name, source, array):
    back = checks.SCRATCH / "place_back.tif"
    checks.weir("convert", array, back, "--overwrite", "--quiet")
    problems = same_place(source, back)
    info, of_tiff = checks.weir("info", array)[0], checks.weir("info", back)[0]
    for word in ("transform", "CRS", "bounds"):
        if line(info, word) != line(of_tiff, word) or not line(info, word):
            problems.append(f"info says {line(info, word)}, and of the GeoTIFF {line(of_tiff, word)}")
    if line(info, "note"):
        problems.append(str(line(info, "note")))
    checks.check(name, problems)


# What xarray 2026.9 and rioxarray 0.19 make of rioxarray.open_rasterio(path).rename("t").to_dataset().to_zarr(), member for member.
# Arguments: GeoTIFFs and the folders to fill.
XARRAY = """
import base64, json, struct, sys, warnings, numpy, pyproj, rasterio, zarr
warnings.simplefilter("ignore")  # of consolidated metadata in v3

def put(group, name, values, dimensions, attributes, fill):
    values, version = numpy.asarray(values), group.metadata.zarr_format
    named = {}
    if version == 2:
        attributes = {**attributes, "_ARRAY_DIMENSIONS": dimensions}
    else:
        named["dimension_names"] = dimensions or None
        if fill is not None:
            attributes = {**attributes, "_FillValue": base64.b64encode(struct.pack("<d", fill)).decode()}
        fill = 0 if fill is None else fill
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape, fill_value=fill,
        attributes=attributes, **named)
    array[...] = values

for source, folder in zip(sys.argv[2::2], sys.argv[3::2]):
    with rasterio.open(source) as data:
        pixels, t, wkt, nodata = data.read(), data.transform, data.crs.to_wkt(), data.nodata
    height, width = pixels.shape[1:]
    mapping = {**pyproj.CRS.from_user_input(wkt).to_cf(), "spatial_ref": wkt, "GeoTransform": " ".join(str(n) for n in t.to_gdal())}
    nan = float("nan")
    for name, (version, consolidated, alone) in json.loads(sys.argv[1]).items():
        group = zarr.open_group(f"{folder}/{name}.zarr", mode="w", zarr_format=version)
        put(group, "t", pixels, ["band", "y", "x"], {"AREA_OR_POINT": "Area", "grid_mapping": "spatial_ref"}, nodata)
        put(group, "band", [1], ["band"], {}, None)
        put(group, "spatial_ref", 0, [], mapping, None)
        if not alone:
            put(group, "x", t.c + (numpy.arange(width) + 0.5) * t.a, ["x"], {"axis": "X", "long_name": "x coordinate"}, nan)
            put(group, "y", t.f + (numpy.arange(height) + 0.5) * t.e, ["y"], {"axis": "Y", "long_name": "y coordinate"}, nan)
        if consolidated:
            zarr.consolidate_metadata(f"{folder}/{name}.zarr", zarr_format=version)
"""

# version, consolidated, the GeoTransform alone
WAYS = {"v2 consolidated": (2, 1, 0), "v3": (3, 0, 0), "v3 consolidated": (3, 1, 0), "v2 GeoTransform": (2, 0, 1), "v3 GeoTransform": (3, 0, 1)}

# What xarray and rioxarray make of datasets.
SEEN = """
import json, sys, warnings, rioxarray, xarray
warnings.simplefilter("ignore")
for path in sys.argv[1:]:
    data = xarray.open_zarr(path)
    dem = data["dem"]
    print(json.dumps({"coordinates": sorted(data.coords), "said": list(dem.rio.transform())[:6], "made": list(dem.rio.transform(recalc=True))[:6],
                      "crs": dem.rio.crs.to_wkt() if dem.rio.crs else None, "nodata": float(dem.rio.encoded_nodata), "x": dem.x.attrs, "y": dem.y.attrs}))
"""


# Which axis of the CRS is x: GeoTIFF and Zarr say it in other ways, and a transform has x first in both.
AXES_ASIDE = ["IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES"]


def as_gdal_sees(name, source, dataset):
    """A CRS without a code is not in what GDAL reads."""
    problems = [problem for problem in same_place(source, f'ZARR:"{dataset}":/dem') if problem != "another CRS"]
    crs, read = gdal.Open(str(source)).GetSpatialRef(), gdal.Open(f'ZARR:"{dataset}":/dem').GetSpatialRef()
    if name != "no code" and (read is None or not crs.IsSame(read, AXES_ASIDE)):
        problems.append(f"another CRS: {read}")
    return problems


def as_xarray_sees(name, source, seen):
    """`made`: of the coordinates alone, whose steps are differences of large numbers."""
    data = gdal.Open(str(source))
    left, a, b, top, c, d = data.GetGeoTransform()
    problems = [f"{way}: {seen[way]}" for way in ("said", "made")
                for one, other in zip(seen[way], (a, b, left, c, d, top)) if abs(one - other) > TOLERANCE * abs(a)]
    if seen["coordinates"] != ["spatial_ref", "x", "y"] or seen["nodata"] != -9999 or seen["x"]["axis"] != "X" or seen["y"]["axis"] != "Y":
        problems.append(str(seen))
    if name == "no code":
        return problems
    crs = osr.SpatialReference()
    crs.ImportFromWkt(seen["crs"] or "LOCAL_CS[\"none\"]")
    return problems if crs.IsSame(data.GetSpatialRef(), AXES_ASIDE) else problems + [f"another CRS: {seen['crs']}"]


shutil.rmtree(checks.SCRATCH / "places", ignore_errors=True)
sources = {}
for number, (name, (srs, transform)) in enumerate(PLACES.items()):
    try:
        folder = checks.SCRATCH / "places" / str(number)
        folder.mkdir(parents=True)
        sources[name] = made(srs, transform, folder / "placed.tif")
        gdal.Translate(str(folder / "gdal.zarr"), str(sources[name]), format="Zarr")
        compare(f"{name}: GDAL's v2", sources[name], folder / "gdal.zarr")
        for version in (2, 3):
            dataset = folder / f"{name} {version}.zarr"
            checks.weir("convert", sources[name], dataset, "--format", version, "--dataset", "dem", "--quiet")
            compare(f"{name}: our dataset, v{version}", sources[name], dataset)
        checks.check(f"{name}: GDAL sees our dataset where it lies", as_gdal_sees(name, sources[name], folder / f"{name} 2.zarr"))
    except Exception as error:
        checks.not_ok(name, error)
if not checks.VENV_PYTHON:
    checks.skip("xarray's layout", "PyPI cannot be reached")
    checks.finish()
try:
    pairs = [path for source in sources.values() for path in (source, source.parent)]
    checks.run(checks.VENV_PYTHON, "-c", XARRAY, json.dumps(WAYS), *pairs)
    for name, source in sources.items():
        for way in WAYS:
            compare(f"{name}: xarray's layout, {way}", source, source.parent / f"{way}.zarr")
    datasets = [(name, source, source.parent / f"{name} {version}.zarr") for name, source in sources.items() for version in (2, 3)]
    seen = checks.run(checks.VENV_PYTHON, "-c", SEEN, *[dataset for _, _, dataset in datasets])[0]
    for (name, source, dataset), line in zip(datasets, seen.splitlines(), strict=True):
        checks.check(f"{name}: xarray and rioxarray see {dataset.name} where it lies", as_xarray_sees(name, source, json.loads(line)))
except Exception as error:
    checks.not_ok("xarray's layout", error)
checks.finish()
