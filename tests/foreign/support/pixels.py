"""Reads rasters with one library and says what it saw: type, shape and a hash of the pixels, sample by sample; with
GDAL also where the raster lies and what its nodata is.

    pixels.py gdal|tifffile|rasterio FILE...     one JSON line per file

A program of its own because the readers cannot share a process: Debian's GDAL wants Debian's numpy, and rasterio
brings a GDAL of its own.
"""

import hashlib
import json
import sys

import numpy


def with_gdal(path):
    from osgeo import gdal

    gdal.UseExceptions()
    raster = gdal.Open(path)
    pixels = raster.ReadAsArray()
    place = {
        "geotransform": raster.GetGeoTransform(can_return_null=True),
        "crs": raster.GetProjection(),
        "nodata": repr(raster.GetRasterBand(1).GetNoDataValue()),
    }
    return pixels if pixels.ndim == 3 else pixels[numpy.newaxis], place


def with_rasterio(path):
    import rasterio

    with rasterio.open(path) as raster:
        return raster.read(), None


def with_tifffile(path):
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        pixels = page.asarray()
        if page.samplesperpixel == 1:
            return pixels.reshape(1, page.imagelength, page.imagewidth), None
        return pixels if page.planarconfig == 2 else numpy.moveaxis(pixels, -1, 0), None


READERS = {"gdal": with_gdal, "rasterio": with_rasterio, "tifffile": with_tifffile}


def main():
    read = READERS[sys.argv[1]]
    for path in sys.argv[2:]:
        try:
            pixels, place = read(path)
            pixels = numpy.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<")))
            seen = {
                "type": pixels.dtype.name,
                "shape": pixels.shape,
                "hash": hashlib.sha256(pixels.tobytes()).hexdigest(),
            }
            if place is not None:
                seen["place"] = place
        except Exception as error:  # whatever the library raises is its verdict on the file
            seen = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(seen))


main()
