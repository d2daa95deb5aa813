"""Writes of GeoTIFFs: tiles, strips, recompressing, the default deflate, COGs."""

from inputs import PREDICTOR, megabytes, raster
from side_by_side import THREADS, at_least, at_most, never_slower

SECONDS = 300  # of a family, about
GDAL_LEVEL = {"deflate": "ZLEVEL", "zstd": "ZSTD_LEVEL"}
VIPS_PREDICTOR = {1: "none", 2: "horizontal", 3: "float"}


def weir(bench, source, codec, level, predictor, threads, *more):
    level_words = ["--level", level] if level else []
    return lambda: bench.measure([bench.weir, "convert", source, bench.out, "--compress", codec, *level_words, "--predictor", predictor, "--threads",
                                  threads, "--memory", "64M", "--recompress", "--quiet", *more], bench.out)


def gdal_options(codec, level, predictor, threads, rows=0):
    options = {"COMPRESS": codec.upper(), "PREDICTOR": predictor, "BIGTIFF": "IF_SAFER"}
    options |= {"BLOCKYSIZE": rows} if rows else {"TILED": "YES"}
    if codec in GDAL_LEVEL and level:
        options[GDAL_LEVEL[codec]] = level
    if threads > 1:
        options["NUM_THREADS"] = threads
    return {name: str(value) for name, value in options.items() if name != "PREDICTOR" or value != 1}


def gdal(bench, source, codec, level, predictor, threads, rows=0, environment=None):
    words = [word for item in gdal_options(codec, level, predictor, threads, rows).items() for word in ("-co", "=".join(item))]
    return lambda: bench.measure(["gdal_translate", "-q", source, bench.out, *words], bench.out, environment)


def newest_gdal(bench, source, codec, level, predictor, threads, rows=0, environment=None):
    """The GDAL inside of rasterio's wheel."""
    return lambda: bench.measure(bench.peer("gdal_copy", source=source, target=bench.out, options=gdal_options(codec, level, predictor, threads, rows)), bench.out,
                                 environment)


def vips(bench, source, codec, level, predictor):
    level_words = ["--level", level] if codec == "zstd" else ["--Q", 75]
    if codec == "deflate" and level not in (0, 6):
        return None  # tiffsave has no level of deflate
    words = ["--tile", "--tile-width", 256, "--tile-height", 256, "--compression", codec, "--predictor", VIPS_PREDICTOR[predictor], *level_words]
    return lambda: bench.measure(["vips", "tiffsave", source, bench.out, *words], bench.out, {"VIPS_CONCURRENCY": str(THREADS)})


def tiffcp(bench, source, codec, level, predictor):
    if level and (codec, level) not in (("deflate", 6), ("zstd", 9)):
        return None  # libtiff 4.5's takes ":p1" and ":p19", and writes the same bytes with both: its defaults
    name = {"deflate": "zip"}.get(codec, codec)
    words = name + (f":{predictor}" if codec != "none" else "")
    return lambda: bench.measure(["tiffcp", "-c", words, "-t", "-w", "256", "-l", "256", source, bench.out], bench.out)


def tifffile(bench, source, codec, level, predictor, threads=THREADS):
    name = {"deflate": "zlib", "none": None}.get(codec, codec)
    return lambda: bench.measure(bench.peer("tifffile_write", source=source, target=bench.out, compression=name, level=level, predictor=predictor,
                                            threads=threads), bench.out)


def limit(bench, source, codec, level, predictor, threads, rows=0):
    return lambda: bench.measure([bench.program("limit_bench"), "write", source, bench.out, codec, level, predictor, threads, rows])


def of_limit(threads, codec, level):
    """How near the library comes to a plain loop, spread over the threads; both without a process's start."""
    def bars(medians):
        # Without a codec there is nothing but copying, and two writers on one file are no faster than one.
        loop = medians["limit"]["loop_cpu"] / (threads if codec != "none" else 1)
        most = 1.05 if codec == "deflate" or codec == "zstd" and level >= 3 else 1.10
        return [at_most("time / limit", medians["limit"]["wall"] / loop, most)]
    return bars


def beside_gdal(medians, wanted):
    return [at_least(f"{tool} / Weir", medians[tool]["wall"] / medians["weir"]["wall"], wanted) for tool in ("GDAL", "newest GDAL") if tool in medians]


def write(bench):
    family = bench.family("write", "An uncompressed, tiled GeoTIFF in the page cache to a compressed one. Columns of programs are whole processes; `time / limit` "
                          "is that of `write_geotiff` against the CPU time of a plain loop (read, cut, predictor, codec, write), spread over the threads; where nothing is encoded, on one: two "
                          "writers on one file are no faster. The best peer is that of those whose file is at most 1 % larger.")
    codecs = [("none", 0), ("lzw", 0), ("deflate", 1), ("deflate", 6), ("deflate", 9), ("zstd", 1), ("zstd", 3), ("zstd", 9), ("zstd", 19)]
    # What an hour of all combinations shows is in these, too; --full has all.
    rows = []
    for threads in (THREADS, 1):
        for kind in ("uint16", "float32", "uint8x3"):
            for codec, level in codecs:
                for predictor in ((1, PREDICTOR[kind]) if codec != "none" else (1,)):
                    usual = codec == "none" or predictor != 1 and (threads == THREADS or (codec, level) in (("deflate", 6), ("zstd", 3)))
                    usual = usual or predictor == 1 and threads == THREADS and (codec, level) == ("zstd", 3)
                    if usual or bench.full:
                        rows.append((kind, codec, level, predictor, threads, 0))
        for codec, level in (("none", 0), ("deflate", 6), ("zstd", 3)):
            rows.append(("uint16", codec, level, 2 if codec != "none" else 1, threads, 16))
    for kind, codec, level, predictor, threads, strip in rows:
        slow = (codec, level) in (("zstd", 19), ("deflate", 9), ("zstd", 9))
        size = 16 if slow else 64
        name = f"{kind} {codec}{f' {level}' if level else ''}{f', predictor {predictor}' if codec != 'none' else ''}{', strips' if strip else ''}, {threads} thread{'s' if threads > 1 else ''}"
        if not family.wants(name):
            continue
        source = raster(bench, kind, size)
        tools = {"weir": weir(bench, source, codec, level, predictor, threads, *(["--strip", strip] if strip else [])),
                 "GDAL": gdal(bench, source, codec, level, predictor, threads, strip),
                 "newest GDAL": newest_gdal(bench, source, codec, level, predictor, threads, strip)}
        if threads > 1 and not strip:
            tools |= {"libvips": vips(bench, source, codec, level, predictor), "tiffcp": tiffcp(bench, source, codec, level, predictor),
                      "tifffile": tifffile(bench, source, codec, level, predictor)}
        tools["limit"] = limit(bench, source, codec, level, predictor, threads, strip)

        def bars(medians):
            bars = never_slower(medians) + of_limit(threads, codec, level)(medians)
            wanted = {"deflate": 1.3 if kind == "uint16" else 1.4, "zstd": 1.8}.get(codec)
            if threads > 1 and not strip and wanted and (codec, level) in (("deflate", 6), ("zstd", 3)):
                bars += beside_gdal(medians, wanted)
            return bars

        family.row("uncompressed tiles to new ones", name, {name: work for name, work in tools.items() if work}, bars, SECONDS / len(rows))


def recompress(bench):
    family = bench.family("recompress", "Tiles of 256 with deflate 6 to tiles of 256 with zstd 3, same predictor.")
    for kind in ("uint16", "float32", "uint8x3"):
        for threads in (THREADS, 1):
            name = f"{kind} deflate 6 to zstd 3, {threads} thread{'s' if threads > 1 else ''}"
            if not family.wants(name):
                continue
            predictor = PREDICTOR[kind]
            source = raster(bench, kind, 128, "deflate", 6)
            tools = {"weir": weir(bench, source, "zstd", 3, predictor, threads), "GDAL": gdal(bench, source, "zstd", 3, predictor, threads),
                     "newest GDAL": newest_gdal(bench, source, "zstd", 3, predictor, threads)}
            if threads > 1:
                tools |= {"libvips": vips(bench, source, "zstd", 3, predictor), "tiffcp": tiffcp(bench, source, "zstd", 3, predictor),
                          "tifffile": tifffile(bench, source, "zstd", 3, predictor)}
            tools["limit"] = limit(bench, source, "zstd", 3, predictor, threads)

            def bars(medians):
                return never_slower(medians) + of_limit(threads, "zstd", 3)(medians) + (beside_gdal(medians, 2) if threads > 1 else [])

            family.row("deflate tiles to zstd tiles", name, {name: work for name, work in tools.items() if work}, bars, 40)


def deflate(bench):
    family = bench.family("deflate", "What `--compress deflate` makes without a level, beside GDAL's default, on two threads; and the curve of engines and levels (one core).")
    for kind, faster, larger in (("uint16", 3, 1.0), ("float32", 2.5, 1.03)):
        name = f"{kind}, default deflate"
        if not family.wants(name):
            continue
        source = raster(bench, kind, 128)
        predictor = PREDICTOR[kind]

        def bars(medians):
            return beside_gdal(medians, faster) + [at_most("size / GDAL's", medians["weir"]["mb"] / medians["GDAL"]["mb"], larger)]

        family.row(f"{megabytes(bench, kind, 128):.0f} MB, default levels", name,
                   {"weir": weir(bench, source, "deflate", 0, predictor, THREADS), "GDAL": gdal(bench, source, "deflate", 0, predictor, THREADS),
                    "newest GDAL": newest_gdal(bench, source, "deflate", 0, predictor, THREADS)}, bars, 30)
    family.program("codecs, engines and levels alone", [bench.program("codec_bench"), *(["4", "0.02"] if bench.quick else [])])


def cog(bench):
    family = bench.family("cog", "A Cloud Optimized GeoTIFF with overviews (average) of an uncompressed raster, tiles of 512.")
    options = {"BLOCKSIZE": "512", "RESAMPLING": "AVERAGE", "OVERVIEW_RESAMPLING": "AVERAGE", "PREDICTOR": "YES", "NUM_THREADS": str(THREADS)}
    for kind in ("uint16", "float32"):
        for codec, level in (("zstd", 3), ("deflate", 6)):
            name = f"{kind} {codec} {level}"
            if not family.wants(name):
                continue
            source = raster(bench, kind, 128)
            predictor = PREDICTOR[kind]
            made = {**options, "COMPRESS": codec.upper(), "LEVEL": str(level)}
            words = [word for item in made.items() for word in ("-co", "=".join(item))]
            profile = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": codec.upper(), "predictor": predictor,
                       GDAL_LEVEL[codec]: level}
            tools = {"weir": weir(bench, source, codec, level, predictor, THREADS, "--to", "cog"),
                     "GDAL": lambda: bench.measure(["gdal_translate", "-q", "-of", "COG", source, bench.out, *words], bench.out),
                     "newest GDAL": lambda: bench.measure(bench.peer("gdal_copy", source=source, target=bench.out, options=made, driver="COG"), bench.out),
                     "rio-cogeo": lambda: bench.measure(bench.peer("rio_cogeo", source=source, target=bench.out, profile=profile, threads=THREADS), bench.out),
                     "libvips": lambda: bench.measure(["vips", "tiffsave", source, bench.out, "--tile", "--pyramid", "--subifd", "--tile-width", 512,
                                                       "--tile-height", 512, "--compression", codec, "--predictor", VIPS_PREDICTOR[predictor],
                                                       *(["--level", level] if codec == "zstd" else [])], bench.out, {"VIPS_CONCURRENCY": str(THREADS)})}

            def bars(medians):
                # No other bar: those of COGs are said, and explained, beside cog_bench.py.
                return never_slower(medians) + beside_gdal(medians, 1)

            family.row("rasters of 128 MB to COGs", name, tools, bars, 40)
    family.program("cog_bench.py: with room on disk", [bench.python, str(bench.here / "cog_bench.py"), str(bench.folder), "1" if bench.quick else "3"])
