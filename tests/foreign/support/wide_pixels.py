"""As pixels.py, in the form of canonical.py: values, whatever the reader calls their type.

    wide_pixels.py gdal|tifffile|rasterio FILE...     one JSON line per file
"""

import json
import sys

import canonical
import numpy


def with_gdal(path):
    from osgeo import gdal

    gdal.UseExceptions()
    raster = gdal.Open(path)
    pixels = raster.ReadAsArray()
    if pixels is None:  # without exceptions of its own in some versions
        raise RuntimeError("no pixels")
    # GDAL before 3.7 has no int8: bytes, with a note.
    if raster.GetRasterBand(1).GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE":
        pixels = pixels.view(numpy.int8)
    return pixels if pixels.ndim == 3 else pixels[numpy.newaxis]


def with_rasterio(path):
    import rasterio

    with rasterio.open(path) as raster:
        return raster.read()


def with_tifffile(path):
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        pixels = page.asarray()
        if page.samplesperpixel == 1:
            return pixels.reshape(1, page.imagelength, page.imagewidth)
        planes = pixels if page.planarconfig == 2 else numpy.moveaxis(pixels, -1, 0)
        return planes.reshape(page.samplesperpixel, page.imagelength, page.imagewidth)


READERS = {"gdal": with_gdal, "rasterio": with_rasterio, "tifffile": with_tifffile}


def main():
    read = READERS[sys.argv[1]]
    for path in sys.argv[2:]:
        try:
            seen = canonical.seen(read(path))
        except Exception as error:  # whatever the library raises is its verdict on the file
            seen = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(seen))


main()
