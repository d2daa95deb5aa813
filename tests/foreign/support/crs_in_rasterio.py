"""Whether rasterio, with its own GDAL and PROJ, reads the CRS that a file was given. Input: lines of JSON, [path, CRS];
output: one line each, "" or what is wrong. A program of its own as pixels.py is."""

import json
import sys

import rasterio
from rasterio.crs import CRS

for line in sys.stdin:
    path, text = json.loads(line)
    try:
        wanted = CRS.from_user_input(text)
        with rasterio.open(path) as raster:
            got = raster.crs
        print(json.dumps("" if got == wanted else f"it reads {got.to_string() if got else None}"))
    except Exception as error:  # whatever the library raises is its verdict on the file
        print(json.dumps(f"{type(error).__name__}: {error}"))
