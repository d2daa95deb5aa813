"""Samples, types, scales and tiles that pass through: weir agrees with gdal_translate -b, -ot, -scale and -unscale where
their rules agree, and with numpy's rounding and clipping everywhere. Where they differ: gdal_translate rounds halves away
from zero and makes NaN 0 in integer types; weir rounds to even, and refuses NaN that no nodata value stands for."""

import subprocess

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
SCRATCH = checks.SCRATCH
GDAL_NAMES = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "uint32": "UInt32", "int32": "Int32",
              "uint64": "UInt64", "int64": "Int64", "float32": "Float32", "float64": "Float64"}
NUMPY = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"]


def write(path, pixels, options=(), nodata=None, scales=None):
    """A GeoTIFF by GDAL; pixels are (height, width, samples)."""
    height, width, samples = pixels.shape
    kind = gdal.GetDataTypeByName(GDAL_NAMES[pixels.dtype.name])
    made = gdal.GetDriverByName("GTiff").Create(str(path), width, height, samples, kind, list(options))
    for sample in range(samples):
        band = made.GetRasterBand(sample + 1)
        if nodata is not None:
            band.SetNoDataValue(nodata)
        if scales:
            band.SetScale(scales[sample][0])
            band.SetOffset(scales[sample][1])
        band.WriteArray(pixels[:, :, sample])
    made = None


def read_gdal(path):
    opened = gdal.Open(str(path))
    pixels = opened.ReadAsArray()
    return pixels[:, :, numpy.newaxis] if pixels.ndim == 2 else numpy.moveaxis(pixels, 0, -1)


def read_weir(source, *options):
    path = SCRATCH / "rows.npy"
    checks.weir("read", source, "--output", path, "--overwrite", "--progress", "none", "--quiet", *options)
    pixels = numpy.load(path)
    return pixels[:, :, numpy.newaxis] if pixels.ndim == 2 else pixels


def made(kind, height=90, width=110, samples=3):
    random = numpy.random.default_rng(len(kind) + samples)
    if kind.startswith("float"):
        # Quarters and eighths, but no halves, on which the two round differently.
        pixels = random.integers(-80000, 80000, (height, width, samples)) * 2 + 1
        return (pixels / 8 + numpy.where(pixels % 8 == 4, 0.125, 0)).astype(kind)
    limits = numpy.iinfo(kind)
    return random.integers(limits.min, limits.max, (height, width, samples), dtype=kind, endpoint=True)


def cast(pixels, kind):
    """numpy's cast after rounding to even and clipping."""
    if kind.startswith("float"):
        limits = numpy.finfo(kind)
        if pixels.dtype.kind == "f" and pixels.dtype.itemsize > numpy.dtype(kind).itemsize or kind == "float16":
            pixels = numpy.clip(pixels.astype("float64"), float(limits.min), float(limits.max))
        return pixels.astype(kind)
    limits = numpy.iinfo(kind)
    if pixels.dtype.kind == "f":
        rounded = numpy.rint(pixels.astype("float64"))
        whole = [[min(max(int(value), limits.min), limits.max) for value in row] for row in rounded.reshape(-1, 1)]
        return numpy.array(whole, dtype=kind).reshape(pixels.shape)
    # Python's integers have no limits of their own.
    clipped = [min(max(int(value), limits.min), limits.max) for value in pixels.reshape(-1)]
    return numpy.array(clipped, dtype=kind).reshape(pixels.shape)


def same(found, wanted):
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        return [f"{found.dtype} {found.shape} and not {wanted.dtype} {wanted.shape}"]
    count = numpy.count_nonzero(found != wanted)
    return [f"{count} of {found.size} values differ"] if count else []


def types():
    source = SCRATCH / "source.tif"
    for kind in GDAL_NAMES:
        pixels = made(kind)
        write(source, pixels, ["TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=32"])
        for to in NUMPY:
            name = f"{kind} read as {to} has numpy's values"
            try:
                checks.check(name, same(read_weir(source, "--type", to), cast(pixels, to)))
            except RuntimeError as error:
                checks.not_ok(name, error)
        for to, parts in (("complex64", "complex64"), ("complex128", "complex128")):
            name = f"{kind} read as {to} has numpy's values"
            real = cast(pixels, "float32" if to == "complex64" else "float64")
            checks.check(name, same(read_weir(source, "--type", to), real.astype(parts)))
        pairs = read_weir(source, "--type", "complex_int16")
        checks.check(f"{kind} read as complex_int16 is pairs",
                     same(pairs[..., 0], cast(pixels, "int16")) + (["an imaginary part"] if pairs[..., 1].any() else []))
        for to in ("uint8", "int16", "uint32", "int32", "float32", "float64"):
            name = f"{kind} to {to} agrees with gdal_translate -ot"
            try:
                ours, theirs = SCRATCH / "ours.tif", SCRATCH / "theirs.tif"
                checks.weir("convert", source, ours, "--type", to, "--overwrite", "--quiet")
                checks.run("gdal_translate", "-q", "-ot", GDAL_NAMES[to], source, theirs)
                checks.check(name, same(read_gdal(ours), read_gdal(theirs)))
            except RuntimeError as error:
                checks.not_ok(name, error)


def samples():
    source, ours, theirs = SCRATCH / "source.tif", SCRATCH / "ours.tif", SCRATCH / "theirs.tif"
    pixels = made("uint16", samples=5)
    for layout in ("PIXEL", "BAND"):
        write(source, pixels, [f"INTERLEAVE={layout}", "COMPRESS=DEFLATE"])
        for chosen in ((3, 1, 2), (5,), (2, 2), (1, 3, 5), (5, 4, 3, 2, 1)):
            name = f"samples {chosen} of {layout}-interleaved agree with gdal_translate -b"
            try:
                checks.weir("convert", source, ours, "--samples", ",".join(map(str, chosen)), "--overwrite", "--quiet")
                bands = [word for sample in chosen for word in ("-b", str(sample))]
                checks.run("gdal_translate", "-q", *bands, source, theirs)
                wanted = pixels[:, :, [sample - 1 for sample in chosen]]
                checks.check(name, same(read_gdal(ours), wanted) + same(read_gdal(ours), read_gdal(theirs)))
            except RuntimeError as error:
                checks.not_ok(name, error)


def colors_of(path):
    opened = gdal.Open(str(path))
    return [gdal.GetColorInterpretationName(opened.GetRasterBand(n).GetColorInterpretation())
            for n in range(1, opened.RasterCount + 1)]


def extras_of(path):
    """ExtraSamples and PhotometricInterpretation, as libtiff reads them."""
    said, _ = checks.run("tiffinfo", path)
    return [line.strip() for line in said.splitlines() if "Extra Samples" in line or "Photometric" in line]


def colors():
    """gdal_translate calls colours in another order RGB and says in items that they are not; ours say it in items alone.
    To GDAL both are the same."""
    source, ours, theirs = SCRATCH / "source.tif", SCRATCH / "ours.tif", SCRATCH / "theirs.tif"
    cases = [(["PHOTOMETRIC=RGB", "ALPHA=YES"], 4,
              ("1,2,3", "3,2,1", "4,1,2,3", "4", "1,2", "2,4", "1,1,1", "1,2,3,3")),
             (["PHOTOMETRIC=RGB", "ALPHA=PREMULTIPLIED", "INTERLEAVE=BAND"], 4, ("3,2,1,4", "1,2,3,4,4")),
             (["ALPHA=YES"], 2, ("1", "2,1")), (["PHOTOMETRIC=MINISBLACK"], 3, ("3,1",))]
    for options, count, choices in cases:
        write(source, made("uint8", samples=count), options)
        for chosen in choices:
            bands = [word for sample in chosen.split(",") for word in ("-b", sample)]
            checks.run("gdal_translate", "-q", *bands, source, theirs)
            problems = []
            for kind in (["--compress", "zstd"], ["--to", "cog"])[:2 if chosen == "3,2,1" or checks.FULL else 1]:
                checks.weir("convert", source, ours, "--samples", chosen, "--overwrite", "--quiet", *kind)
                # Grey and Undefined both say nothing, and GDAL puts Gray first whatever is.
                seen, wanted = ([name.replace("Undefined", "Gray") for name in colors_of(path)] for path in (ours, theirs))
                problems += [] if seen == wanted else [f"{seen} and not {wanted} {kind}"]
            checks.check(f"colours of samples {chosen} of {' '.join(options)} are GDAL's", problems)
    for alpha, name in (("YES", "unassoc-alpha"), ("PREMULTIPLIED", "assoc-alpha")):
        write(source, made("uint8", samples=4), ["PHOTOMETRIC=RGB", f"ALPHA={alpha}"])
        turned, back = SCRATCH / "turned.tif", SCRATCH / "back.tif"
        checks.weir("convert", source, turned, "--samples", "3,2,1,4", "--overwrite", "--quiet")
        checks.weir("convert", turned, back, "--samples", "3,2,1,4", "--overwrite", "--quiet")
        problems = [] if colors_of(turned) == ["Blue", "Green", "Red", "Alpha"] else [f"turned: {colors_of(turned)}"]
        if any("RGB" in line for line in extras_of(turned)) or name not in " ".join(extras_of(turned)):
            problems.append(f"turned: {extras_of(turned)}")
        if extras_of(back) != extras_of(source) or "COLORINTERP" in checks.run("tiffinfo", back)[0]:
            problems.append(f"back: {extras_of(back)} and not {extras_of(source)}")
        checks.check(f"colours that are turned and turned back are RGB with {name} again", problems)


def scales():
    source, ours, theirs = SCRATCH / "source.tif", SCRATCH / "ours.tif", SCRATCH / "theirs.tif"
    pixels = made("uint8")
    write(source, pixels, scales=((0.5, -10), (1, 0), (0.01, 273.15)))
    try:
        checks.weir("convert", source, ours, "--unscale", "--type", "float64", "--overwrite", "--quiet")
        checks.run("gdal_translate", "-q", "-unscale", "-ot", "Float64", source, theirs)
        wanted = pixels * numpy.array([0.5, 1, 0.01]) + numpy.array([-10, 0, 273.15])
        checks.check("--unscale agrees with gdal_translate -unscale",
                     same(read_gdal(ours), read_gdal(theirs)) + same(read_gdal(ours), wanted))
        opened = gdal.Open(str(ours))  # a band does not keep its file open
        left = [opened.GetRasterBand(band).GetScale() for band in (1, 2, 3)]
        checks.check("--unscale leaves no scale behind", [f"scales {left}"] if any(s not in (None, 1) for s in left) else [])
        # -scale 0 100 0 250 is value * 2.5.
        checks.weir("convert", source, ours, "--scale", "2.5", "--type", "float32", "--overwrite", "--quiet")
        checks.run("gdal_translate", "-q", "-scale", "0", "100", "0", "250", "-ot", "Float32", source, theirs)
        checks.check("--scale agrees with gdal_translate -scale", same(read_gdal(ours), read_gdal(theirs)))
    except RuntimeError as error:
        checks.not_ok("scales", error)


def nodata():
    source, ours = SCRATCH / "source.tif", SCRATCH / "ours.tif"
    pixels = made("float32", samples=1)
    pixels[10:20, 30:50] = -9999
    pixels[40, 50] = numpy.nan
    write(source, pixels, nodata=-9999)
    try:
        checks.weir("convert", source, ours, "--type", "int16", "--nodata", "-32768", "--overwrite", "--quiet")
        wanted = cast(numpy.nan_to_num(pixels, nan=0), "int16")
        wanted[10:20, 30:50] = wanted[40, 50] = -32768
        opened = gdal.Open(str(ours))
        band = opened.GetRasterBand(1).GetNoDataValue()
        checks.check("nodata and NaN become the nodata value of the new type",
                     same(read_gdal(ours), wanted) + ([] if band == -32768 else [f"nodata {band}"]))
    except RuntimeError as error:
        checks.not_ok("nodata", error)
    write(source, pixels)
    done = subprocess.run([checks.WEIR, "convert", source, ours, "--type", "uint8", "--overwrite"],
                          capture_output=True, text=True)
    checks.check("NaN without a nodata value is refused",
                 [] if done.returncode == 1 and "NaN in row 40 to uint8" in done.stderr else [done.stderr])


def tiles():
    source, ours = SCRATCH / "source.tif", SCRATCH / "ours.tif"
    pixels = made("uint16")
    for codec in ("DEFLATE", "ZSTD", "LZW", "PACKBITS", "NONE", "LZMA"):
        for layout in ("PIXEL", "BAND"):
            predictor = [] if codec in ("PACKBITS", "NONE", "LZMA") else ["PREDICTOR=2"]
            write(source, pixels, [f"COMPRESS={codec}", f"INTERLEAVE={layout}", "TILED=YES", "BLOCKXSIZE=32",
                                   "BLOCKYSIZE=48"] + predictor)
            # GDAL has no predictor with LZMA, and weir would take one.
            wanted = ["--predictor", "1"] if codec == "LZMA" else []
            name = f"tiles of GDAL pass through: {codec}, {layout}"
            try:
                said, _ = checks.weir("convert", source, ours, "--compress", codec.lower(), "--tile", "48x32",
                                      "--interleave", layout.lower(), "--overwrite", *wanted)
                problems = same(read_gdal(ours), pixels)
                if "tiles passed through: " not in said:
                    problems.append("they were encoded anew")
                checks.check(name, problems)
            except RuntimeError as error:
                if codec == "LZMA" and "lzma" in str(error):
                    checks.skip(name, "this weir has no lzma")
                else:
                    checks.not_ok(name, error)


types()
samples()
colors()
scales()
nodata()
tiles()
checks.finish()
