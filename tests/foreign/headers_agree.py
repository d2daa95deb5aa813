"""Catalog rows of `weir headers` beside what other programs read in the same files: tiff-dumper's 33 columns, tiffinfo, exiftool,
and GDAL for transforms, overviews and where a raster lies on the globe. The stored files and kinds that GDAL makes."""

import json
import math
import pathlib
import re
import shutil
import subprocess
import sys

from osgeo import gdal

from support import checks, header_kinds

gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")

BUCKET = checks.SCRATCH / "bucket"
HERE = pathlib.Path(__file__).parent
CONFIG = """store:
  name: file://{bucket}
  prefixes: null
concurrency:
  n_consumers: 10
  list_chunk_size: 1000
  max_buffer_size: 1000
  write_chunk_size: 1000
"""
# tiff-dumper 0.1.0 ends its run at these: GeoKeys that its library has no name for (2062, to WGS 84), and photometric
# interpretations (32845, LogLuv).
NOT_FOR_TIFF_DUMPER = {"geogtowgs_subset_USGS_13_s14w171", "olinda_dem_utm25s", "logluv-3c-16b"}
TIFF_DUMPER = ["annotated-types==0.8.0", "anyio==4.16.0", "async-tiff==0.1.0", "click==8.5.1", "numpy==2.4.6", "obstore==0.6.0",
               "pandas==2.3.3", "pyarrow==20.0.0", "pydantic==2.14.4", "PyYAML==6.0.4", "tiff-dumper==0.1.0"]


def fill_bucket():
    shutil.rmtree(BUCKET, ignore_errors=True)
    BUCKET.mkdir(parents=True)
    for path in sorted(checks.DATA.iterdir()):
        if path.suffix in (".tif", ".tiff"):
            shutil.copyfile(path, BUCKET / f"{path.stem}.tif")
    header_kinds.make(BUCKET)


def rows_of(python, folder):
    """By path without its ending. Of tiff-dumper's or our own parts."""
    parts = sorted(path for path in folder.glob("*.parquet") if path.stem not in ("errors", "vanished"))
    printed, _ = checks.run(python, HERE / "support" / "parquet_rows.py", *parts)
    rows = [json.loads(line) for line in printed.splitlines()]
    return {row["path"].removesuffix(".tif"): row for row in rows}


def our_rows(schema):
    config, out = checks.SCRATCH / f"{schema}.yaml", checks.SCRATCH / schema
    config.write_text(CONFIG.format(bucket=BUCKET) + ("" if schema == "weir" else f"schema: {schema}\n"))
    shutil.rmtree(out, ignore_errors=True)
    checks.weir("headers", config, out)
    return rows_of(checks.VENV_PYTHON, out)


# tiff-dumper ---------------------------------------------------------------------------------------------------------

def tiff_dumper_program():
    """In a venv of its own: it wants an older pyarrow. None where PyPI has none of it."""
    venv = pathlib.Path(checks.VENV_PYTHON).parent.parent.with_name("tiff_dumper_venv")
    stamp = venv / "done"
    if not stamp.exists() or stamp.read_text() != str(TIFF_DUMPER):
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True)
        done = subprocess.run([venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *TIFF_DUMPER],
                              capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(venv, ignore_errors=True)
            return None
        stamp.write_text(str(TIFF_DUMPER))
    return venv / "bin" / "tiff-dumper"


def same_tag(ours, theirs):
    """A value of other_tags: theirs is typed, rationals are pairs, BYTE and UNDEFINED are lists of numbers; ours is text."""
    if isinstance(theirs, str):
        return ours == theirs
    values = theirs if isinstance(theirs, list) else [theirs]
    texts = ours.split(", ") if ours else []
    if "/" in ours:
        pairs = values if values and isinstance(values[0], list) else [values]
        return texts == ["/".join(map(str, pair)) for pair in pairs]
    if len(texts) == len(values):
        try:  # a FLOAT is as short as it may be
            if all(math.isclose(float(text), float(value), rel_tol=6e-8) for text, value in zip(texts, values)):
                return True
        except ValueError:  # one byte, in hexadecimal
            pass
    return all(isinstance(value, int) and 0 <= value < 256 for value in values) and ours == bytes(values).hex()


def dumper_differences(ours, theirs):
    problems = []
    for column in sorted(theirs):
        if column == "other_tags":
            tags = {key: value for key, value in theirs[column].items() if value is not None}
            # It drops ColorMap, and knows nothing of it elsewhere.
            mine = {key: value for key, value in (ours[column] or {}).items() if key != "320"}
            if set(tags) != set(mine):
                problems.append(f"other_tags {sorted(mine)}, theirs {sorted(tags)}")
            problems += [f"tag {key} {mine[key][:60]}, theirs {str(tags[key])[:60]}"
                         for key in tags if key in mine and not same_tag(mine[key], tags[key])]
        elif column == "geokeys":
            # GDAL ends texts of several parts with a bar of their own, which is none of theirs for us.
            keys = {key: value.rstrip("|") if isinstance(value, str) else value
                    for key, value in (theirs[column] or {}).items() if value is not None}
            mine = {key: value for key, value in (ours[column] or {}).items() if value is not None}
            problems += [f"{key} {mine.get(key)}, theirs {keys.get(key)}" for key in sorted(set(keys) | set(mine))
                         if mine.get(key) != keys.get(key)]
        elif ours[column] != theirs[column]:
            problems.append(f"{column} {ours[column]}, theirs {theirs[column]}")
    return problems


def against_tiff_dumper():
    program = tiff_dumper_program()
    if program is None:
        checks.skip("tiff-dumper's columns", "PyPI cannot be reached")
        return
    for name in NOT_FOR_TIFF_DUMPER:
        (BUCKET / f"{name}.tif").unlink()
    rows = our_rows("tiff-dumper")
    out = checks.SCRATCH / "theirs"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    checks.run(program, "headers", checks.SCRATCH / "tiff-dumper.theirs.yaml", out, "--quiet")
    theirs = rows_of(checks.VENV_PYTHON, out)
    checks.check("tiff-dumper has a row of every file, and so have we",
                 [f"{sorted(set(theirs) ^ set(rows))}"] if set(theirs) != set(rows) else [])
    checks.check(f"tiff-dumper's columns are ours ({len(theirs)} kinds)", [] if len(theirs) >= 60 else ["too few kinds"])
    columns = {tuple(sorted(row)) for row in rows.values()}
    wanted = {tuple(sorted(row)) for row in theirs.values()}
    is_33 = columns == wanted and all(len(row) == 33 for row in columns)
    checks.check("its schema has exactly its 33 columns", [] if is_33 else [str(columns)])
    problems = [f"{name}: {problem}" for name in sorted(theirs) for problem in dumper_differences(rows[name], theirs[name])]
    checks.check("every value of every column is tiff-dumper's", problems[:20])


# tiffinfo ------------------------------------------------------------------------------------------------------------

TIFFINFO = {
    "image_width": r"Image Width: (\d+)", "image_height": r"Image Length: (\d+)", "samples_per_pixel": r"Samples/Pixel: (\d+)",
    "rows_per_strip": r"Rows/Strip: (\d+)", "tile_width": r"Tile Width: (\d+)", "tile_height": r"Tile Length: (\d+)",
    "x_resolution": r"Resolution: ([-\d.e+]+),", "y_resolution": r"Resolution: [-\d.e+]+, ([-\d.e+]+)",
    "software": r"Software: (.*)", "date_time": r"DateTime: (.*)", "artist": r"Artist: (.*)", "copyright": r"Copyright: (.*)",
    "host_computer": r"HostComputer: (.*)", "document_name": r"DocumentName: (.*)", "image_description": r"ImageDescription: (.*)",
}
PLANAR = {1: "single image plane", 2: "separate image planes"}


def tiffinfo_differences(row, path):
    printed = subprocess.run(["tiffinfo", path], capture_output=True, text=True, errors="replace").stdout
    directories = re.split(r"=== TIFF directory \d+ ===\n", printed)[1:]
    first, problems = directories[0], []
    for column, pattern in TIFFINFO.items():
        found = re.search(pattern, first)
        ours, text = row[column], found and found.group(1).rstrip()
        if column in ("tile_width", "tile_height") and "Tile Width" not in first:
            text = None  # else a strip's
        if text is None and ours is None:
            continue
        if text == "(infinite)" or (column == "rows_per_strip" and ours == 2**32 - 1):
            continue
        if isinstance(ours, (int, float)):
            if text is None or not math.isclose(float(text), ours, rel_tol=1e-5):
                problems.append(f"{column} {ours}, tiffinfo {text}")
        elif (ours or "").strip().splitlines()[:1] != (text or "").strip().splitlines()[:1] and column != "rows_per_strip":
            problems.append(f"{column} {ours}, tiffinfo {text}")
    bits = re.search(r"Bits/Sample: (\d+)", first)
    if bits and int(bits.group(1)) != row["bits_per_sample"][0]:
        problems.append(f"bits {row['bits_per_sample']}, tiffinfo {bits.group(1)}")
    planar = re.search(r"Planar Configuration: (.*)", first)
    if planar and planar.group(1) != PLANAR[row["planar_configuration"]]:
        problems.append(f"planes {row['planar_configuration']}, tiffinfo {planar.group(1)}")
    if len(directories) != row["directories"]:
        problems.append(f"{row['directories']} directories, tiffinfo {len(directories)}")
    return problems


# exiftool ------------------------------------------------------------------------------------------------------------

EXIFTOOL = {
    "image_width": "ImageWidth", "image_height": "ImageHeight", "bits_per_sample": "BitsPerSample", "compression": "Compression",
    "photometric_interpretation": "PhotometricInterpretation", "samples_per_pixel": "SamplesPerPixel", "rows_per_strip": "RowsPerStrip",
    "planar_configuration": "PlanarConfiguration", "x_resolution": "XResolution", "y_resolution": "YResolution",
    "resolution_unit": "ResolutionUnit", "software": "Software", "date_time": "ModifyDate", "artist": "Artist", "copyright": "Copyright",
    "host_computer": "HostComputer", "document_name": "DocumentName", "image_description": "ImageDescription",
    "orientation": "Orientation", "sample_format": "SampleFormat", "extra_samples": "ExtraSamples", "tile_width": "TileWidth",
    "tile_height": "TileLength", "predictor": "Predictor", "new_subfile_type": "SubfileType", "model_pixel_scale": "PixelScale",
    "model_tiepoint": "ModelTiePoint", "min_sample_value": "MinSampleValue", "max_sample_value": "MaxSampleValue",
}
HAVE_DEFAULTS = {"sample_format", "planar_configuration", "compression", "bits_per_sample", "samples_per_pixel"}


def exiftool_differences(row, said):
    problems = []
    for column, name in EXIFTOOL.items():
        ours, theirs = row[column], said.get(f"IFD0:{name}")
        if theirs is None:
            # What TIFF says of absent tags, which exiftool does not.
            if ours is not None and column not in HAVE_DEFAULTS:
                problems.append(f"{column} {ours}, exiftool nothing")
            continue
        if isinstance(ours, list):
            numbers = [float(text) for text in str(theirs).split()]
            is_same = len(numbers) == len(ours) and all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(numbers, ours))
        elif isinstance(ours, (int, float)):
            is_same = math.isclose(float(theirs), ours, rel_tol=1e-9)
        else:
            is_same = ours is not None and str(theirs).strip() == ours.strip()
        if not is_same:
            problems.append(f"{column} {ours}, exiftool {theirs}")
    return problems


def against_exiftool(rows):
    if shutil.which("exiftool") is None:
        checks.skip("exiftool's values", "there is no exiftool")
        return
    paths = [BUCKET / f"{name}.tif" for name in sorted(rows)]
    printed = subprocess.run(["exiftool", "-j", "-n", "-G1", "-charset", "utf8", *paths], capture_output=True, text=True).stdout
    problems = []
    for said in json.loads(printed):
        name = pathlib.Path(said["SourceFile"]).stem
        problems += [f"{name}: {problem}" for problem in exiftool_differences(rows[name], said)]
    checks.check(f"exiftool reads the same values in {len(paths)} files", problems[:20])


# GDAL ----------------------------------------------------------------------------------------------------------------

def gdal_differences(row, path):
    raster, problems = gdal.Open(str(path)), []
    transform = raster.GetGeoTransform(can_return_null=True)
    def is_near(pair):
        return math.isclose(*pair, rel_tol=1e-12, abs_tol=1e-9)

    if transform is not None and not (row["transform"] and all(map(is_near, zip(transform, row["transform"])))):
        problems.append(f"transform {row['transform']}, GDAL {transform}")
    overviews = raster.GetRasterBand(1).GetOverviewCount()
    if overviews != row["overviews"]:
        problems.append(f"{row['overviews']} overviews, GDAL {overviews}")
    info = gdal.Info(raster, format="json")
    corners = info.get("wgs84Extent", {}).get("coordinates")
    if row["epsg"] is None or corners is None:
        return problems
    box = row["bbox"] or {"xmin": 0, "ymin": 0, "xmax": 0, "ymax": 0}
    # Of NAD83, PROJ has several shifts to WGS 84, which are a metre or two apart; GDAL may take another than PROJ itself.
    near = 5e-5
    for x, y in corners[0]:
        if not (box["xmin"] - near <= x <= box["xmax"] + near and box["ymin"] - near <= y <= box["ymax"] + near):
            problems.append(f"box {box}, GDAL has a corner at {x}, {y}")
    return problems


def main():
    if not checks.VENV_PYTHON:
        checks.skip("catalog rows beside other programs", "there is no pyarrow")
        checks.finish()
    fill_bucket()
    (checks.SCRATCH / "tiff-dumper.theirs.yaml").write_text(CONFIG.format(bucket=BUCKET))
    rows = our_rows("weir")
    files = sorted(path.stem for path in BUCKET.iterdir())
    checks.check(f"each of {len(files)} files is a row", [f"{sorted(set(files) ^ set(rows))}"] if set(files) != set(rows) else [])
    for program, differences in {"tiffinfo": tiffinfo_differences, "GDAL": gdal_differences}.items():
        problems = [f"{name}: {problem}" for name in files for problem in differences(rows[name], BUCKET / f"{name}.tif")]
        checks.check(f"{program} reads the same in {len(files)} files", problems[:20])
    against_exiftool(rows)
    against_tiff_dumper()
    checks.finish()


main()
