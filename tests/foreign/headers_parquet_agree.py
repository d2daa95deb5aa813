"""Header catalogs in other hands: pyarrow and DuckDB from PyPI, GDAL's Parquet driver where it is there. One schema over all parts, with
the types that nodes/headers/catalog_schema.hpp documents; the values that were written; footprints that open as GeoParquet."""

import pathlib
import shutil
import subprocess
import sys

from support import checks

SUPPORT = pathlib.Path(__file__).parent / "support"
CHILD = pathlib.Path(checks.WEIR).parent.parent / "tests" / "header_catalog_child"
UNITS = 60  # of 32 objects: eight parts of some 200 rows


def made(name, *arguments):
    folder = checks.SCRATCH / name
    checks.run(CHILD, folder, UNITS, *arguments)
    return folder


def gdal_agrees(folder):
    """GDAL opens the footprints: as many, and within the box that it finds itself."""
    from osgeo import ogr

    if ogr.GetDriverByName("Parquet") is None:
        checks.skip("GDAL opens the footprints", "this GDAL has no Parquet driver")
        return
    problems = []
    for part in sorted(folder.glob("part-*.parquet")):
        layer = ogr.Open(str(part)).GetLayer(0)
        if layer.GetGeometryColumn() != "footprint" or layer.GetSpatialRef().GetAuthorityCode(None) not in ("CRS84", "4326"):
            problems.append(f"{part.name}: {layer.GetGeometryColumn()} in {layer.GetSpatialRef().GetName()}")
        if any(f.GetGeometryRef() is not None and not f.GetGeometryRef().IsValid() for f in layer):
            problems.append(f"{part.name}: a footprint is not valid")
    checks.check("GDAL opens the footprints", problems)


def main():
    if subprocess.run([CHILD, checks.SCRATCH / "try", "0", "weir", "0"]).returncode == 3:
        checks.skip("header catalogs in other hands", "this build has no Parquet")
        return
    weir = made("weir", "weir", 0)
    narrow = made("narrow", "tiff-dumper", 0)
    updated = made("updated", "weir", 0, weir)
    gdal_agrees(weir)
    if not checks.VENV_PYTHON:
        checks.skip("pyarrow and DuckDB", "PyPI cannot be reached")
        return
    done = subprocess.run([checks.VENV_PYTHON, SUPPORT / "catalog_readers.py", weir, narrow, updated])
    if done.returncode not in (0, 1):
        checks.not_ok("pyarrow and DuckDB", f"exit code {done.returncode}")
    if done.returncode != 0:
        sys.exit(1)
    shutil.rmtree(checks.SCRATCH / "try")


main()
checks.finish()
