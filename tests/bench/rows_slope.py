"""A chunked, computed raster streamed to a GeoTIFF: slope of an elevation model, each chunk read once."""

import json
import pathlib

from inputs import raster, shape
from side_by_side import THREADS, at_least, at_most

def graph(bench, chunk):
    """Slope in a graph file; the elevation model is read in the chunks that dask gets."""
    path = pathlib.Path(bench.path("slope.yaml"))
    path.write_text(f"""weir: 1
memory: {"64M" if chunk < 2048 else "160M"}
variables:
  input: {{default: in.tif}}
  output: {{default: out.tif}}
nodes:
  dem: {{type: read_tiff, path: "${{input}}", chunk: {chunk}}}
  bands: {{type: assemble_bands, input: dem}}
  tiles: {{type: cut_tiles, input: bands, tile: 256}}
  slope: {{type: slope, input: tiles}}
  zstd: {{type: compress_tiles, input: slope, codec: zstd, level: 3, predictor: float}}
  tif: {{type: write_tiff, input: zstd, path: "${{output}}"}}
""")
    return str(path)


def slope(bench):
    family = bench.family("slope", "Slope (3 x 3, degrees) of a float32 elevation model, to a GeoTIFF with zstd 3 and predictor 3. Peers: xarray-spatial's slope of a dask "
                          "array, written by its to_geotiff or by rioxarray; numba has compiled before the clock starts. gdaldem computes on one thread.")
    for codec, level in (("none", 0), ("deflate", 6)):
        for chunk in (512, 1024, 2048):
            name = f"{'uncompressed' if codec == 'none' else f'{codec} {level}'}, chunks of {chunk}"
            if not family.wants(name):
                continue
            source = raster(bench, "float32", 128, codec, level)
            report = bench.path("slope.json")
            job = dict(source=source, target=bench.out, chunk=chunk, level=3, predictor=3, threads=THREADS)
            words = ["--set", f"input={source}", "--set", f"output={bench.out}", "--threads", THREADS, "--quiet"]
            made = graph(bench, chunk)

            def ours():
                figures = bench.measure([bench.weir, "run", made, *words, "--report", report, "--overwrite"], bench.out)
                told = json.loads(pathlib.Path(report).read_text())
                figures["reads"] = told["source_reads"] / told["source_chunks"]
                return figures

            tools = {"weir": ours, "xarray-spatial": lambda: bench.measure(bench.peer("slope_xarray_spatial", **job), bench.out),
                     "rioxarray": lambda: bench.measure(bench.peer("slope_rioxarray", **job), bench.out),
                     "gdaldem": lambda: bench.measure(["gdaldem", "slope", "-q", source, bench.out, "-co", "TILED=YES", "-co", "COMPRESS=ZSTD", "-co", "ZSTD_LEVEL=3",
                                                       "-co", "PREDICTOR=3", "-co", f"NUM_THREADS={THREADS}", "-compute_edges"], bench.out)}

            def bars(medians):
                ours = medians["weir"]["wall"]
                bars = [at_most("reads per chunk", medians["weir"]["reads"], 1)]
                return bars + [at_least(f"{tool} / Weir", medians[tool]["wall"] / ours, 3 if tool != "gdaldem" else 1) for tool in medians if tool != "weir"]

            family.row(f"{shape(bench, 'float32', 128)[0]} x {shape(bench, 'float32', 128)[1]} float32", name, tools, bars, 45)
