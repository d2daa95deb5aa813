"""Files behind nginx: pixels are those of the local file and of GDAL, each request of the access log is one that the report
counts, a window costs its opening and one request for each run of tiles, and certificates are checked."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy
from osgeo import gdal

from support import checks

gdal.UseExceptions()
SCRATCH = checks.SCRATCH
GAP = 64 << 10  # what a request reads through
PREFIX = 64 << 10  # what the opening brings

CONFIG = """
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  log_format ranges '$connection $status $http_range $body_bytes_sent';
  access_log {folder}/access.log ranges;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/files;
    location /busy/ {{ alias {folder}/files/; limit_req zone=few; limit_req_status 503; }}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
  }}
  limit_req_zone $binary_remote_addr zone=few:1m rate=50r/s;
  {tls}
}}
"""
TLS = """server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    root {folder}/files;
  }}"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    def __init__(self):
        self.port, self.tls_port = free_port(), free_port()
        (SCRATCH / "files").mkdir(parents=True)
        tls = ""
        try:
            checks.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                       "/CN=127.0.0.1", "-keyout", SCRATCH / "key.pem", "-out", SCRATCH / "cert.pem")
            tls = TLS.format(port=self.tls_port, folder=SCRATCH)
        except (OSError, RuntimeError):
            self.tls_port = None
        user = "user root;" if os.geteuid() == 0 else ""
        (SCRATCH / "nginx.conf").write_text(CONFIG.format(folder=SCRATCH, port=self.port, user=user, tls=tls))
        self.process = subprocess.Popen([PROGRAM, "-c", str(SCRATCH / "nginx.conf"), "-e", str(SCRATCH / "error.log")],
                                        stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("nginx does not answer")

    def url(self, name):
        return f"http://127.0.0.1:{self.port}/{name}"

    def log(self):
        """Lines since the last call: (connection, status, range, bytes)."""
        time.sleep(0.05)  # it writes them after the answer
        path = SCRATCH / "access.log"
        lines = [line.split() for line in path.read_text().splitlines()]
        path.write_text("")
        return [(line[0], int(line[1]), line[2], int(line[3])) for line in lines]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def make_files():
    """Files by GDAL: (name, directory that is read)."""
    random = numpy.random.default_rng(1)
    pixels = (numpy.add.outer(numpy.arange(1500), numpy.arange(2100)) + random.integers(0, 4000, (1500, 2100)))
    raster = gdal.GetDriverByName("MEM").Create("", 2100, 1500, 1, gdal.GDT_UInt16)
    raster.SetGeoTransform((500000, 10, 0, 5000000, 0, -10))
    raster.GetRasterBand(1).WriteArray(pixels.astype("uint16"))
    files = SCRATCH / "files"

    def save(name, driver="GTiff", *options):
        gdal.GetDriverByName(driver).CreateCopy(str(files / name), raster, options=list(options))

    save("cog.tif", "COG", "COMPRESS=DEFLATE", "PREDICTOR=YES", "BLOCKSIZE=256", "OVERVIEWS=AUTO")
    save("strips.tif", "GTiff", "COMPRESS=LZW")
    save("plain.tif", "GTiff")
    save("big.tif", "GTiff", "TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=64", "COMPRESS=ZSTD", "BIGTIFF=YES")
    save("motorola.tif", "GTiff", "TILED=YES", "COMPRESS=DEFLATE", "ENDIANNESS=BIG")
    for name in ("L7_ETMs.tif", "BigTIFFMotorola.tif", "olinda_dem_utm25s.tif"):
        shutil.copy(checks.DATA / name, files / name)
    return [("cog.tif", 0), ("cog.tif", 1), ("strips.tif", 0), ("plain.tif", 0), ("big.tif", 0), ("motorola.tif", 0),
            ("L7_ETMs.tif", 0), ("BigTIFFMotorola.tif", 0), ("olinda_dem_utm25s.tif", 0)]


def read(source, directory, window, *more):
    """(bytes of the pixels, report)"""
    out, report = SCRATCH / "out.raw", SCRATCH / "report.json"
    words = ["read", source, "--output", out, "--report", report, "--overwrite", "--quiet", "--directory", directory]
    if window:
        words += ["--window", ",".join(str(n) for n in window)]
    checks.weir(*words, *more)
    return out.read_bytes(), json.loads(report.read_text())


def runs_of(path, directory, window):
    """Requests that the tiles of a window take beside the opening: runs of them, row of tiles by row of tiles."""
    x, y, width, height = window
    raster = gdal.Open(f"GTIFF_DIR:{directory + 1}:{path}")
    band = raster.GetRasterBand(1)
    tile_width, tile_height = band.GetBlockSize()
    count = 0
    for row in range(y // tile_height, (y + height - 1) // tile_height + 1):
        end = None
        for col in range(x // tile_width, (x + width - 1) // tile_width + 1):
            offset = int(band.GetMetadataItem(f"BLOCK_OFFSET_{col}_{row}", "TIFF"))
            size = int(band.GetMetadataItem(f"BLOCK_SIZE_{col}_{row}", "TIFF"))
            if offset + size <= PREFIX:
                continue
            if end is None or not 0 <= offset - end <= GAP:
                count += 1
            end = offset + size
    return count


def agree(nginx, name, directory):
    path = SCRATCH / "files" / name
    with_gdal = gdal.Open(f"GTIFF_DIR:{directory + 1}:{path}")
    width, height = with_gdal.RasterXSize, with_gdal.RasterYSize
    for window in (None, (width // 3, height // 3, width // 2, height // 4), (width - 1, height - 1, 1, 1)):
        label = f"{name}, directory {directory}, {'all' if window is None else f'window {window}'}"
        try:
            nginx.log()
            remote, report = read(nginx.url(name), directory, window)
            log = nginx.log()
            local, _ = read(path, directory, window)
            theirs = with_gdal.ReadAsArray(*(window or ()))
            if theirs.ndim == 3:
                theirs = numpy.moveaxis(theirs, 0, -1)
            problems = []
            if remote != local:
                problems.append("the pixels are not those of the local file")
            if remote != numpy.ascontiguousarray(theirs).astype(theirs.dtype.newbyteorder("=")).tobytes():
                problems.append("the pixels are not those that GDAL reads")
            if report["requests"] != len(log):
                problems.append(f"the report has {report['requests']} requests, the access log {len(log)}")
            if report["fetched_bytes"] != sum(line[3] for line in log):
                problems.append(f"the report has {report['fetched_bytes']} bytes, the log {sum(l[3] for l in log)}")
            if len({line[0] for line in log}) > 16:
                problems.append("there were more than 16 connections")
            if any(status != 206 for _, status, _, _ in log):
                problems.append(f"statuses: {sorted({line[1] for line in log})}")
            checks.check(label, problems)
        except RuntimeError as error:
            checks.not_ok(label, error)


def windows_cost_runs(nginx):
    """GDAL's COGs have their directory in front; 256-pixel tiles in chunks of one row of tiles, each its own request."""
    path = SCRATCH / "files" / "cog.tif"
    for window in ((300, 300, 900, 700), (0, 600, 2100, 100), (1000, 0, 10, 1500)):
        label = f"a window {window} of a COG costs its opening and one request for each run"
        try:
            nginx.log()
            read(nginx.url("cog.tif"), 0, window, "--chunk", f"256x{window[2] + 256}")
            found, wanted = len(nginx.log()), 1 + runs_of(path, 0, window)
            checks.check(label, [] if found == wanted else [f"{found} requests, {wanted} wanted"])
        except RuntimeError as error:
            checks.not_ok(label, error)


def refusals(nginx):
    for label, url, words in (
            ("a file that is not there", nginx.url("none.tif"), "there is no such file (status 404)"),
            ("a certificate that nobody signed",
             f"https://127.0.0.1:{nginx.tls_port}/cog.tif" if nginx.tls_port else None, "certificate")):
        if url is None:
            checks.skip(label, "there is no openssl to make it with")
            continue
        try:
            checks.weir("info", url)
            checks.not_ok(label, "it was read")
        except RuntimeError as error:
            checks.check(f"{label} is refused", [] if words in str(error) else [str(error)])


def main():
    nginx = Nginx()
    try:
        for name, directory in make_files():
            agree(nginx, name, directory)
        windows_cost_runs(nginx)
        for label, folder in (("a busy nginx", "busy/"), ("an nginx that redirects", "moved/")):
            try:
                nginx.log()
                remote, _ = read(nginx.url(folder + "cog.tif"), 0, None, "--chunk", 256)
                local, _ = read(SCRATCH / "files" / "cog.tif", 0, None)
                statuses = [line[1] for line in nginx.log()]
                problems = [] if remote == local else ["the pixels differ"]
                if (503 if folder == "busy/" else 302) not in statuses:
                    problems.append(f"it was not {label}: {statuses}")
                if folder == "moved/" and statuses.count(302) != 1:
                    problems.append(f"it was redirected {statuses.count(302)} times")
                checks.check(f"{label} is no obstacle", problems)
            except RuntimeError as error:
                checks.not_ok(f"{label} is no obstacle", error)
        refusals(nginx)
    finally:
        nginx.stop()
    checks.finish()


PROGRAM = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
if PROGRAM is None:
    checks.skip("files behind nginx", "there is no nginx")
    sys.exit(0)
if "no libcurl" in checks.weir("--version")[0]:
    checks.skip("files behind nginx", "this weir was built without libcurl")
    sys.exit(0)
main()
