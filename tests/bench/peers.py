"""Work of the peers that are libraries of Python, each in a process of its own: peers.py JOB (JSON). Prints {"wall": s, "cpu": s} of the
work alone, not of the interpreter's start. Reads are done twice and the second counts: the first touches the array that all read into."""

import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")


def cpu():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def timed(work):
    start, before = time.perf_counter(), cpu()
    work()
    return {"wall": time.perf_counter() - start, "cpu": cpu() - before}


# Writes: from a file to a file


def gdal_copy(source, target, options, driver="GTiff", **_):
    import rasterio.shutil
    return timed(lambda: rasterio.shutil.copy(source, target, driver=driver, **options))


def rio_cogeo(source, target, profile, threads, **_):
    import rasterio  # noqa: F401
    from rio_cogeo.cogeo import cog_translate
    return timed(lambda: cog_translate(source, target, profile, in_memory=False, quiet=True, overview_resampling="average", web_optimized=False,
                                       config={"GDAL_NUM_THREADS": str(threads)}))


def tifffile_write(source, target, compression, level, predictor, threads, tile=(256, 256), rows=None, **_):
    import tifffile

    def work():
        data = tifffile.imread(source, maxworkers=threads)
        layout = {"rowsperstrip": rows} if rows else {"tile": tile}
        tifffile.imwrite(target, data, compression=compression, compressionargs={"level": level} if level else None,
                         predictor=predictor if predictor > 1 else False, photometric="rgb" if data.ndim == 3 else "minisblack",
                         maxworkers=threads, **layout)

    return timed(work)


def make_rgb(sources, target, **_):
    """Three rasters of uint8 as one, interleaved, uncompressed, in tiles."""
    import numpy
    import tifffile
    data = numpy.stack([tifffile.imread(source) for source in sources], axis=-1)
    return timed(lambda: tifffile.imwrite(target, data, tile=(256, 256), photometric="rgb"))


# Reads: windows of a file (or all of it: none) into an array that is there


def read(tool, source, windows, threads, **_):
    work = {"gdal": read_gdal, "rasterio": read_rasterio, "tifffile": read_tifffile, "async-tiff": read_async_tiff}[tool](source, windows, threads)
    work()
    return timed(work)


def read_gdal(source, windows, threads):
    from osgeo import gdal
    import numpy
    gdal.UseExceptions()

    def opened():
        return gdal.OpenEx(source, open_options=[f"NUM_THREADS={threads}"])

    raster = opened()
    wanted = windows or [[0, 0, raster.RasterXSize, raster.RasterYSize]]
    kind = {gdal.GDT_Byte: "uint8", gdal.GDT_UInt16: "uint16", gdal.GDT_Float32: "float32"}[raster.GetRasterBand(1).DataType]
    bands = raster.RasterCount
    shape = (wanted[0][3], wanted[0][2])
    out = numpy.zeros(shape + (bands,) if bands > 1 else shape, kind)

    def work():
        raster = opened()  # a new one: blocks that were read before stay in GDAL's cache while a file is open
        for x, y, width, height in wanted:
            if bands > 1:
                raster.ReadAsArray(x, y, width, height, buf_obj=out, interleave="pixel")
            else:
                raster.ReadAsArray(x, y, width, height, buf_obj=out)

    return work


def read_rasterio(source, windows, threads):
    import numpy
    import rasterio
    from rasterio.windows import Window
    with rasterio.open(source) as raster:
        wanted = windows or [[0, 0, raster.width, raster.height]]
        out = numpy.zeros((raster.count, wanted[0][3], wanted[0][2]), raster.dtypes[0])  # rasterio's order

    def work():
        with rasterio.open(source, num_threads=threads) as raster:
            for window in wanted:
                raster.read(out=out, window=Window(*window))

    return work


def read_tifffile(source, windows, threads):
    import numpy
    import tifffile
    import zarr
    with tifffile.TiffFile(source) as tiff:
        page = tiff.pages[0]
        out = numpy.zeros(page.shape if not windows else (windows[0][3], windows[0][2]) + page.shape[2:], page.dtype)
    if not windows:
        return lambda: tifffile.imread(source, out=out, maxworkers=threads)

    def work():
        with tifffile.TiffFile(source) as tiff:
            array = zarr.open(tiff.aszarr(maxworkers=threads), mode="r")
            for x, y, width, height in windows:
                out[:] = array[y:y + height, x:x + width]

    return work


def read_async_tiff(source, windows, threads):
    import asyncio
    import numpy
    from async_tiff import TIFF, ThreadPool
    from async_tiff.store import LocalStore
    folder, name = os.path.split(source)
    pool = ThreadPool(threads)
    out = None

    async def work():
        nonlocal out
        tiff = await TIFF.open(name, store=LocalStore(folder))
        ifd = tiff.ifds[0]
        side = ifd.tile_width
        wanted = windows or [[0, 0, ifd.image_width, ifd.image_height]]
        for x, y, width, height in wanted:
            cols, rows = range(x // side, (x + width - 1) // side + 1), range(y // side, (y + height - 1) // side + 1)
            # A row of tiles at a time, two in flight: all at once would hold the raster twice.
            for first in range(0, len(rows), 2):
                tiles = await tiff.fetch_tiles([(col, row) for row in rows[first:first + 2] for col in cols], 0)
                places = [(tile.x, tile.y) for tile in tiles]  # decoding takes the tile
                for (col, row), decoded in zip(places, await asyncio.gather(*(tile.decode(pool=pool) for tile in tiles))):
                    pixels = numpy.asarray(decoded)
                    if out is None:
                        out = numpy.zeros((height, width) + pixels.shape[2:], pixels.dtype)
                    top, left = row * side - y, col * side - x
                    up, cut = max(0, -top), max(0, -left)
                    down, right = min(side, height - top), min(side, width - left)
                    out[top + up:top + down, left + cut:left + right] = pixels[up:down, cut:right]

    return lambda: asyncio.run(work())


# Slope of a raster in chunks, streamed to a GeoTIFF


def chunked_slope(source, chunk):
    from xrspatial import slope
    from xrspatial.geotiff import open_geotiff
    return slope(open_geotiff(source, chunks=chunk))


def slope_xarray_spatial(source, target, chunk, level, predictor, threads, buffer=None, **_):
    import dask
    from xrspatial.geotiff import to_geotiff
    dask.config.set(scheduler="threads", num_workers=threads)
    small = {"streaming_buffer_bytes": buffer} if buffer else {}

    def work():
        to_geotiff(chunked_slope(source, chunk), target, compression="zstd", compression_level=level, predictor=predictor, tile_size=256, **small)

    return warm_slope(work)


def slope_rioxarray(source, target, chunk, level, predictor, threads, **_):
    import dask
    import rioxarray
    from xrspatial import slope
    dask.config.set(scheduler="threads", num_workers=threads)

    def work():
        import threading
        raster = rioxarray.open_rasterio(source, chunks={"x": chunk, "y": chunk}).squeeze("band", drop=True)
        slope(raster).rio.to_raster(target, tiled=True, blockxsize=256, blockysize=256, compress="ZSTD", zstd_level=level, predictor=predictor,
                                    num_threads=threads, bigtiff="IF_SAFER", lock=threading.Lock())

    return warm_slope(work)


def warm_slope(work):
    """Numba compiles slope at its first call: not on the clock."""
    import dask.array
    import numpy
    import xarray
    from xrspatial import slope
    small = xarray.DataArray(dask.array.from_array(numpy.zeros((64, 64), "float32"), chunks=32), dims=("y", "x"), attrs={"res": (1, 1)})
    slope(small).compute()
    return timed(work)


def copy_xarray_spatial(source, target, chunk, level, predictor, threads, buffer, **_):
    import dask
    from xrspatial.geotiff import open_geotiff, to_geotiff
    dask.config.set(scheduler="threads", num_workers=threads)
    return timed(lambda: to_geotiff(open_geotiff(source, chunks=chunk), target, compression="zstd", compression_level=level, predictor=predictor,
                                    tile_size=256, streaming_buffer_bytes=buffer))


def copy_rioxarray(source, target, chunk, level, predictor, threads, **_):
    import threading
    import dask
    import rioxarray
    dask.config.set(scheduler="threads", num_workers=threads)
    return timed(lambda: rioxarray.open_rasterio(source, chunks={"x": chunk, "y": chunk}).rio.to_raster(
        target, tiled=True, blockxsize=256, blockysize=256, compress="ZSTD", zstd_level=level, predictor=predictor, num_threads=threads,
        bigtiff="IF_SAFER", lock=threading.Lock()))


def main():
    job = json.loads(sys.argv[1])
    print(json.dumps(globals()[job.pop("verb")](**job)))


main()
