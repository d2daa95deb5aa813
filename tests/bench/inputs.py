"""The rasters that rows work on: Weir's made-up terrain, written once in a run."""

import pathlib

SAMPLES = {"uint8x3": 3, "uint16": 2, "float32": 4}  # bytes of a pixel
PREDICTOR = {"uint8x3": 2, "uint16": 2, "float32": 3}


def shape(bench, kind, megabytes):
    """Columns and rows, multiples of 1024 (four tiles), of about so many MB."""
    cells = (16 if bench.quick else megabytes) * 1e6 / SAMPLES[kind]
    width = max(1024, round((cells ** 0.5) / 1024) * 1024)
    return width, max(1024, round(cells / width / 1024) * 1024)


def megabytes(bench, kind, size):
    width, height = shape(bench, kind, size)
    return width * height * SAMPLES[kind] / 1e6


def raster(bench, kind, size, codec="none", level=0, predictor=None, tile=256):
    """The path of the raster, in tiles; with a codec, with the type's predictor."""
    width, height = shape(bench, kind, size)
    path = pathlib.Path(bench.path(f"{kind}_{size}_{codec}{level}_{tile}.tif"))
    if path.exists():
        return str(path)
    predictor = predictor or (PREDICTOR[kind] if codec != "none" else 1)
    storage = ["--compress", codec, "--predictor", predictor, "--tile", tile, "--quiet", "--overwrite"] + (["--level", level] if level else [])
    if kind != "uint8x3":
        bench.run([bench.weir, "convert", f"terrain:{width}x{height}:{kind}", path, *storage])
        return str(path)
    plain = pathlib.Path(bench.path(f"{kind}_{size}_made.tif"))
    if not plain.exists():
        bands = [bench.path(f"band{number}.tif") for number in range(3)]
        for number, band in enumerate(bands):  # three parts of a larger terrain
            bench.run([bench.weir, "convert", f"terrain:{width * 3}x{height}:uint8", band, "--window", f"{width * number},0,{width},{height}",
                       "--compress", "none", "--quiet", "--overwrite"])
        bench.run(bench.peer("make_rgb", sources=bands, target=str(plain)))
        for band in bands:
            pathlib.Path(band).unlink()
    bench.run([bench.weir, "convert", plain, path, "--recompress", *storage])
    return str(path)
