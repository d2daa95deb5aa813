"""What other programs take for the same headers as build/bench/header_bench: CPU time of one core, microseconds a file, the best of
three rounds. Each library in a process of its own.

    tests/bench/header_bench.py FOLDER [PYTHON]     PYTHON: one that has tifffile and rasterio; GDAL is Debian's
"""

import pathlib
import subprocess
import sys

READERS = {
    "tifffile": """
import tifffile
def read(path):
    with tifffile.TiffFile(path) as tiff:
        return [page.tags for page in tiff.pages]
""",
    "rasterio": """
import rasterio
def read(path):
    with rasterio.open(path) as raster:
        return raster.profile, raster.bounds, raster.overviews(1)
""",
    "GDAL": """
from osgeo import gdal
gdal.UseExceptions()
def read(path):
    raster = gdal.Open(path)
    return raster.GetGeoTransform(), raster.GetRasterBand(1).GetOverviewCount()
""",
}
ROUND = """
import os, sys, time
files = sorted(entry.path for entry in os.scandir(sys.argv[1]))
best = 1e9
for _ in range(3):
    start = time.process_time()
    for path in files:
        read(path)
    best = min(best, time.process_time() - start)
print(f"{1e6 * best / len(files):8.0f}")
"""


def main():
    folder, python = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else sys.executable
    for name, code in READERS.items():
        done = subprocess.run([sys.executable if name == "GDAL" else python, "-c", code + ROUND, folder],
                              capture_output=True, text=True)
        said = done.stdout.rstrip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
        print(f"{name:<42} {said}")


if not pathlib.Path(sys.argv[1]).is_dir():
    sys.exit("header_bench.py: say a folder")
main()
