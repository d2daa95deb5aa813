#!/usr/bin/env python3
"""weir convert --to cog beside gdal_translate -of COG: the same raster, codec, predictor, tile size and kernel (average), two
threads each, interleaved; and the plain tiled file of the same codec and tiles, whose CPU time says what the overviews cost.

  tests/bench/cog_bench.py [FOLDER [ROUNDS]]      default: /dev/shm 5; needs gdal-bin. WEIR_BIN: another weir

Per codec: medians of wall time, CPU time (user and system) and peak resident memory, and the best wall time; bytes of the output;
and, from one run more that is not timed, the most bytes that output and temporary files had on the disk. Input is an uncompressed tiled GeoTIFF in
FOLDER, read from the page cache. weir syncs its output before it takes its name, GDAL does not: on a disk that is in its time,
and `synced` is GDAL's with a sync of its file behind it."""
import os
import statistics
import subprocess
import sys
import time

SIDE, TILE, THREADS = 8192, 512, 2
MEGABYTES = SIDE * SIDE * 2 / 1e6

folder = sys.argv[1] if len(sys.argv) > 1 else "/dev/shm"
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
here = os.path.dirname(os.path.abspath(__file__))
weir = os.environ.get("WEIR_BIN", os.path.join(here, "../../build/bin/weir"))


def path(name):
    return os.path.join(folder, "weir_bench_" + name)


def ours(source, compress, level, *more):
    return [weir, "convert", source, path("ours.tif"), "--compress", compress, "--level", str(level), "--predictor", "2",
            "--tile", str(TILE), "--threads", str(THREADS), "--overwrite", "--quiet", *more]


def theirs(source, compress, level):
    options = ["COMPRESS=" + compress.upper(), f"LEVEL={level}", "PREDICTOR=YES", f"BLOCKSIZE={TILE}",
               "RESAMPLING=AVERAGE", f"NUM_THREADS={THREADS}"]
    return ["gdal_translate", "-q", "-of", "COG", source, path("theirs.tif")] + [
        word for option in options for word in ("-co", option)]


def measure(command, output=None):
    """Wall, CPU and (where an output is named) wall until it is on the disk, in seconds; peak resident MiB."""
    if output and os.path.exists(output):
        os.remove(output)  # its pages are freed outside of the time
    start = time.monotonic()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {child.returncode}")
    if output:
        with open(output, "rb") as file:
            os.fsync(file.fileno())
    return wall, usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def disk_bytes(pid, known):
    """Bytes allocated to the run's own files: those in the folder and unnamed ones that it has open."""
    files = {}
    for name in os.listdir(folder):
        if name.startswith("weir_bench_") or name.startswith(".weir_bench_"):
            try:
                stat = os.stat(os.path.join(folder, name))
                files[stat.st_ino] = stat.st_blocks * 512
            except FileNotFoundError:
                pass
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{fd}").startswith(folder):
                stat = os.stat(f"/proc/{pid}/fd/{fd}")
                files[stat.st_ino] = stat.st_blocks * 512
    except (FileNotFoundError, PermissionError):
        pass  # it ended
    return sum(size for inode, size in files.items() if inode not in known)


def peak_disk_bytes(command, output):
    if os.path.exists(output):
        os.remove(output)
    known = {entry.inode() for entry in os.scandir(folder)}
    child = subprocess.Popen(command)
    peak = 0
    while child.poll() is None:
        peak = max(peak, disk_bytes(child.pid, known))
        time.sleep(0.002)
    return max(peak, disk_bytes(child.pid, known))


def row(name, source, compress, our_level, their_level):
    cog, plain, gdal = [], [], []
    for _ in range(rounds):
        cog.append(measure(ours(source, compress, our_level, "--to", "cog"), path("ours.tif")))
        gdal.append(measure(theirs(source, compress, their_level), path("theirs.tif")))
        our_bytes, their_bytes = (os.path.getsize(path(file)) for file in ("ours.tif", "theirs.tif"))
        plain.append(measure(ours(source, compress, our_level), path("ours.tif")))
    our_peak = peak_disk_bytes(ours(source, compress, our_level, "--to", "cog"), path("ours.tif"))
    their_peak = peak_disk_bytes(theirs(source, compress, their_level), path("theirs.tif"))

    def median(runs, which):
        return statistics.median(run[which] for run in runs)

    def best(runs):
        return min(run[0] for run in runs)

    print(f"{name:<22}{'MB/s':>7}{'wall s':>8}{'best':>8}{'synced':>8}{'CPU s':>8}{'MiB':>7}{'MB out':>8}{'MB disk':>9}")
    for who, runs, size, peak in (("weir", cog, our_bytes, our_peak), ("GDAL", gdal, their_bytes, their_peak)):
        print(f"  {who:<20}{MEGABYTES / median(runs, 0):7.0f}{median(runs, 0):8.2f}{best(runs):8.2f}{median(runs, 2):8.2f}"
              f"{median(runs, 1):8.2f}{median(runs, 3):7.0f}{size / 1e6:8.1f}{peak / 1e6:9.1f}")
    print(f"  {'GDAL / weir':<20}{'':7}{median(gdal, 0) / median(cog, 0):7.2f}x{best(gdal) / best(cog):7.2f}x"
          f"{median(gdal, 2) / median(cog, 2):7.2f}x"
          f"{median(gdal, 1) / median(cog, 1):7.2f}x{median(gdal, 3) / median(cog, 3):6.1f}x"
          f"{their_bytes / our_bytes:7.3f}x{their_peak / our_peak:8.2f}x")
    print(f"  CPU of the plain tiled file: {median(plain, 1):.2f} s; the COG's is"
          f" {median(cog, 1) / median(plain, 1):.2f} times that", flush=True)


def main():
    source = path("u16.tif")
    try:
        subprocess.run([weir, "convert", f"terrain:{SIDE}x{SIDE}:uint16", source, "--compress", "none", "--overwrite",
                        "--quiet"], check=True)
        version = subprocess.run(["gdalinfo", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        print(f"{version}; {SIDE} x {SIDE} uint16 terrain, predictor 2, tiles of {TILE}, average, {THREADS} threads, "
              f"{rounds} rounds, in {folder}")
        row("zstd 3", source, "zstd", 3, 3)
        # weir's deflate 1 (libdeflate) makes a smaller file than GDAL's 6 of this raster.
        row("deflate 1 / GDAL 6", source, "deflate", 1, 6)
        row("deflate 6", source, "deflate", 6, 6)
    finally:
        for name in os.listdir(folder):
            if name.startswith("weir_bench_"):
                os.remove(os.path.join(folder, name))


main()
