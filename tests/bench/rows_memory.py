"""A raster ten times the memory budget, by everybody; and what grows with the raster."""

from inputs import megabytes, raster
from rows_write import gdal, newest_gdal, limit, of_limit, tifffile, vips, weir
from side_by_side import THREADS, at_least, at_most, best_peer

BUDGET = 64  # MiB
SMALL_CACHE = {"GDAL_CACHEMAX": str(BUDGET)}


def ten_times(bench):
    family = bench.family("memory", f"An uncompressed float32 raster of ten times {BUDGET} MiB to zstd 3, predictor 3, two threads; --memory {BUDGET}M. Peers with their defaults, and, "
                          "where they take a limit, with that. Memory of processes; those of Python have its interpreter and numpy in it.")
    name = f"zstd 3, ten times {BUDGET} MiB"
    if family.wants(name):
        source = raster(bench, "float32", 671)
        job = dict(source=source, target=bench.out, chunk=1024, level=3, predictor=3, threads=THREADS)
        words = [bench.weir, "convert", source, bench.out, "--compress", "zstd", "--level", 3, "--predictor", 3, "--recompress", "--threads", THREADS, "--quiet"]
        tools = {"weir": weir(bench, source, "zstd", 3, 3, THREADS),
                 "weir, 24M": lambda: bench.measure([*words, "--memory", "24M"], bench.out),
                 "GDAL": gdal(bench, source, "zstd", 3, 3, THREADS),
                 "GDAL, cache of 64 MB": gdal(bench, source, "zstd", 3, 3, THREADS, environment=SMALL_CACHE),
                 "newest GDAL": newest_gdal(bench, source, "zstd", 3, 3, THREADS),
                 "newest GDAL, cache of 64 MB": newest_gdal(bench, source, "zstd", 3, 3, THREADS, environment=SMALL_CACHE),
                 "libvips": vips(bench, source, "zstd", 3, 3), "tifffile": tifffile(bench, source, "zstd", 3, 3),
                 "xarray-spatial": lambda: bench.measure(bench.peer("copy_xarray_spatial", buffer=BUDGET << 20, **job), bench.out),
                 "rioxarray": lambda: bench.measure(bench.peer("copy_rioxarray", **job), bench.out)}

        def bars(medians):
            least = min((figures["mib"], tool) for tool, figures in medians.items() if not tool.startswith("weir"))
            fastest = best_peer({tool: figures for tool, figures in medians.items() if tool == "weir" or not tool.startswith("weir")})
            ours = medians["weir"]
            return [at_most(f"least of peers' memory ({least[1]}): Weir's / it", ours["mib"] / least[0], 1.0), at_most("peak MiB", ours["mib"], BUDGET + 48),
                    at_most(f"time / best peer's ({fastest[0]})", ours["wall"] / fastest[1], 1.03)]

        family.row(f"{megabytes(bench, 'float32', 671):.0f} MB of float32", name, tools, bars, 150, most_rounds=3)

    for codec, level in (("none", 0), ("deflate", 6), ("zstd", 3), ("lzw", 0)):
        name = f"{codec}, budget {BUDGET} MiB"
        if not family.wants(name):
            continue
        source = raster(bench, "float32", 671)
        family.row("peak memory of Weir by codec", name, {"weir": weir(bench, source, codec, level, 3 if codec != "none" else 1, THREADS)},
                   lambda medians: [at_most("peak MiB", medians["weir"]["mib"], BUDGET + 48)], 10, most_rounds=3)


def large(bench):
    family = bench.family("large", f"A raster far larger than the caches: 2.6 GB of uncompressed float32, predictor 3, two threads; Weir with --memory 64M, GDAL with a cache of {BUDGET} MB. "
                          "libtiff's deflate 6 is libdeflate's 7 with this predictor: against it stands our 7 for the size, and our 6.")
    for codec, level, theirs, faster, larger in (("deflate", 7, 6, 1.2, 1.001), ("zstd", 3, 3, 1.2, 1.001), ("deflate", 6, 6, 1.8, 1.005)):
        name = f"{codec} {level} against GDAL's {theirs}"
        if not family.wants(name):
            continue
        source = raster(bench, "float32", 2600)

        def bars(medians):
            return [bar for tool in ("GDAL", "newest GDAL") if tool in medians
                    for bar in (at_least(f"{tool} / Weir", medians[tool]["wall"] / medians["weir"]["wall"], faster),
                                at_most(f"size / {tool}'s", medians["weir"]["mb"] / medians[tool]["mb"], larger))] + of_limit(THREADS, codec, level)(medians)

        family.row(f"{megabytes(bench, 'float32', 2600):.0f} MB of float32", name,
                   {"weir": weir(bench, source, codec, level, 3, THREADS), "GDAL": gdal(bench, source, codec, theirs, 3, THREADS, environment=SMALL_CACHE),
                    "newest GDAL": newest_gdal(bench, source, codec, theirs, 3, THREADS, environment=SMALL_CACHE),
                    "limit": limit(bench, source, codec, level, 3, THREADS)}, bars, 300, most_rounds=3)


def growth(bench):
    family = bench.family("growth", "A made-up terrain of float32, 8192 columns, streamed to zstd 1, two threads, --memory 64M: time per MB and memory, from 64 MB on.")
    columns = 8192
    heights = [2048, 8192, 32768, 131072] + ([524288] if bench.full else [])
    first = None
    for rows in heights[:2] if bench.quick else heights:
        size = columns * rows * 4 / 1e6
        name = f"{size:.0f} MB"
        command = [bench.weir, "convert", f"terrain:{columns}x{rows}:float32", bench.out, "--compress", "zstd", "--level", "1", "--predictor", "3", "--threads", THREADS,
                   "--memory", "64M", "--quiet"]

        def bars(medians):
            ours = medians["weir"]
            bars = [("ms per MB", ours["wall"] / size * 1e3, "", True)]
            if first:
                bars += [at_most("time per MB / the first's", ours["wall"] / size / first[0], 1.10),
                         # 20 bytes a tile, and half a MiB for what differs from run to run.
                         at_most("MiB more than the first", ours["mib"] - first[1], columns * rows // 256**2 * 20 / 2**20 + 0.5)]
            return bars

        medians = family.row("terrain to zstd 1", name, {"weir": lambda: bench.measure(command, bench.out)}, bars, 60, most_rounds=5 if size < 2000 else 2)
        if medians and first is None:
            first = (medians["weir"]["wall"] / size, medians["weir"]["mib"])
