"""Header catalogs beside tiff-dumper 0.1.0: same server, same files, same number of fetches in flight, client and server on a core each.

    python tests/bench/headers_bench.py WEIR TIFF_DUMPER_PYTHON FOLDER [FILES] [CONSUMERS]

WEIR: an optimised build; TIFF_DUMPER_PYTHON: a Python 3.11 with tiff-dumper 0.1.0, PyYAML and pyarrow; FOLDER: on tmpfs, so that no disk
is measured. The server is nginx with its Lua module (Debian: nginx-light, libnginx-mod-http-lua), which answers S3's listing and ranges
of files, and waits before each answer. Tables: headers a second, CPU of the client for 1,000 headers, requests and bytes (of bodies) a
header as the server counted them, and the client's peak memory. All files of a kind are links to a few, so that they are in the page cache.
"""

import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import time
import urllib.request

WEIR, DUMPER, FOLDER = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
FILES = int(sys.argv[4]) if len(sys.argv) > 4 else 5000
CONSUMERS = int(sys.argv[5]) if len(sys.argv) > 5 else 100
PORT = 18733
REPEATS = 3
MOST_SECONDS = 120

NGINX = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; default_type image/tiff; etag on;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp; uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  lua_shared_dict counts 1m;
  init_worker_by_lua_block {{
    keys = {{}}
    for line in io.lines("{folder}/keys") do
      local name, size = line:match("^(.*) (%d+)$")
      keys[#keys + 1] = {{name, size}}
    end
    -- The first key behind a text.
    function behind(text)
      local low, high = 1, #keys + 1
      while low < high do
        local middle = math.floor((low + high) / 2)
        if keys[middle][1] <= text then low = middle + 1 else high = middle end
      end
      return low
    end
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder}/bucket;
    location = /count {{ content_by_lua_block {{
      local c = ngx.shared.counts
      ngx.print((c:get("requests") or 0) .. " " .. (c:get("bytes") or 0) .. " " .. (c:get("pages") or 0))
      c:flush_all()
    }} }}
    location ~ ^/bucket/?$ {{ content_by_lua_block {{
      local a = ngx.req.get_uri_args()
      ngx.shared.counts:incr("pages", 1, 0)
      ngx.sleep({latency})
      local prefix, delimiter = a.prefix or "", a.delimiter
      local most = math.min(tonumber(a["max-keys"] or 1000), 1000)
      local i = behind(a["continuation-token"] or a["start-after"] or "")
      if prefix ~= "" then i = math.max(i, behind(prefix:sub(1, -2) .. string.char(prefix:byte(-1) - 1) .. "\\255")) end
      local out, n, folder, last = {{}}, 0, nil, nil
      local more = false
      while i <= #keys do
        local name = keys[i][1]
        if name:sub(1, #prefix) ~= prefix then break end
        local slash = delimiter and name:find(delimiter, #prefix + 1, true)
        local shown = slash and name:sub(1, slash) or name
        if shown ~= folder then
          if n == most then more = true break end
          n = n + 1
          if slash then
            folder = shown
            out[#out + 1] = "<CommonPrefixes><Prefix>" .. shown .. "</Prefix></CommonPrefixes>"
          else
            out[#out + 1] = "<Contents><Key>" .. name .. "</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>&quot;0" ..
              i .. "&quot;</ETag><Size>" .. keys[i][2] .. "</Size><StorageClass>STANDARD</StorageClass></Contents>"
          end
        end
        last = name
        i = i + 1
      end
      ngx.header.content_type = "application/xml"
      ngx.print("<?xml version=\\"1.0\\"?><ListBucketResult><Name>bucket</Name><Prefix>" .. prefix .. "</Prefix><KeyCount>" .. n ..
        "</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>" .. tostring(more) .. "</IsTruncated>" ..
        (more and ("<NextContinuationToken>" .. last .. "</NextContinuationToken>") or "") .. table.concat(out) .. "</ListBucketResult>")
    }} }}
    location /bucket/ {{
      root {folder};
      rewrite_by_lua_block {{ if {latency} > 0 then ngx.sleep({latency}) end }}
      log_by_lua_block {{
        ngx.shared.counts:incr("requests", 1, 0)
        ngx.shared.counts:incr("bytes", tonumber(ngx.var.body_bytes_sent), 0)
      }}
    }}
  }}
}}
"""


def tiff(big=False, tiles=16, overviews=0, gap=0, directory_at_end=False, geo=True, metadata=200):
    """A header as GDAL's COG driver writes it: directories first, or all pixels in front of it. Tile arrays are there, tiles are not."""
    word, entry_bytes = (8, 20) if big else (4, 12)
    out = bytearray(b"II" + (struct.pack("<HHHQ", 43, 8, 0, 0) if big else struct.pack("<HI", 42, 0)))
    link = 8 if big else 4
    if gap:
        out += bytes(gap)
    kinds = {1: "B", 2: "s", 3: "H", 4: "I", 12: "d", 16: "Q"}
    for level in range(overviews + 1):
        count = max(1, tiles >> (2 * level))
        offsets = (16 if big else 4, [1 << 20] * count)
        entries = [(254, 4, [1 if level else 0]), (256, 3, [10980 >> level]), (257, 3, [10980 >> level]), (258, 3, [16]), (259, 3, [8]), (262, 3, [1]),
                   (277, 3, [1]), (284, 3, [1]), (317, 3, [2]), (322, 3, [1024]), (323, 3, [1024]), (324, *offsets), (325, 4, [9999] * count), (339, 3, [1])]
        if geo and not level:
            entries += [(33550, 12, [10.0, 10.0, 0.0]), (33922, 12, [0.0, 0.0, 0.0, 499980.0, 5100000.0, 0.0]),
                        (34735, 3, [1, 1, 0, 7, 1024, 0, 1, 1, 1025, 0, 1, 1, 1026, 34737, 22, 0, 2049, 34737, 7, 22, 2054, 0, 1, 9102, 3072, 0, 1, 32632, 3076, 0, 1, 9001]),
                        (34737, 2, b"WGS 84 / UTM zone 32N|WGS 84|\0"), (42112, 2, b"<GDALMetadata>" + b"x" * metadata + b"</GDALMetadata>\0"), (42113, 2, b"0\0")]
        at = len(out) + len(out) % 2
        out += bytes(at - len(out))
        out[link:link + word] = struct.pack("<Q" if big else "<I", at)
        table = (8 if big else 2) + len(entries) * entry_bytes + word
        values = bytearray()
        out += struct.pack("<Q" if big else "<H", len(entries))
        for tag, kind, value in entries:
            raw = bytes(value) if kind == 2 else struct.pack(f"<{len(value)}{kinds[kind]}", *value)
            out += struct.pack("<HH" + ("Q" if big else "I"), tag, kind, len(value))
            if len(raw) <= word:
                out += raw.ljust(word, b"\0")
            else:
                out += struct.pack("<Q" if big else "<I", at + table + len(values))
                values += raw + bytes(len(raw) % 2)
        link = len(out)
        out += bytes(word) + values
    if not directory_at_end:
        out += bytes(1 << 20)
    return bytes(out)


KINDS = {
    "Sentinel-like COGs": dict(tiles=121, overviews=4),
    "directory at the end": dict(tiles=121, gap=8 << 20, directory_at_end=True),
    "BigTIFF": dict(big=True, tiles=400, overviews=5),
    "giant, 64k tiles": dict(big=True, tiles=65536, overviews=7),
}


def fill(kind, count, prefixes=8):
    shutil.rmtree(FOLDER / "bucket", ignore_errors=True)
    (FOLDER / "bucket").mkdir(parents=True)
    source = FOLDER / "bucket" / "source"
    source.write_bytes(tiff(**KINDS[kind]))
    size, keys = source.stat().st_size, []
    for i in range(count):
        name = f"{i * prefixes // count}/S2A_32TNS_{i:07}.tif"
        path = FOLDER / "bucket" / name
        path.parent.mkdir(exist_ok=True)
        os.link(source, path)
        keys.append(f"{name} {size}")
    source.unlink()
    (FOLDER / "keys").write_text("\n".join(keys) + "\n")


class Server:
    def __init__(self, latency):
        (FOLDER / "tmp").mkdir(exist_ok=True)
        (FOLDER / "nginx.conf").write_text(NGINX.format(folder=FOLDER, port=PORT, latency=latency))
        self.process = subprocess.Popen(["taskset", "-c", "0", "nginx", "-c", str(FOLDER / "nginx.conf")])
        for _ in range(100):
            try:
                self.counts()
                break
            except OSError:
                time.sleep(0.05)

    def counts(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/count") as answer:
            return [int(word) for word in answer.read().split()]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measured(command, rows_of, environment):
    """(headers a second, CPU seconds, peak MiB, headers), or None where it took too long."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    child = subprocess.Popen(["taskset", "-c", "1", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    peak = 0
    while child.poll() is None:
        try:
            for line in open(f"/proc/{child.pid}/status"):
                if line.startswith("VmHWM"):
                    peak = max(peak, int(line.split()[1]))
        except OSError:
            pass
        if time.perf_counter() - begin > MOST_SECONDS:
            child.kill()
        time.sleep(0.01)
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if child.returncode != 0:
        print("   ", child.stderr.read().decode()[-300:].strip().replace("\n", " | "), file=sys.stderr)
        return None
    return seconds, cpu, peak / 1024, rows_of()


def parquet_rows(folder):
    code = ("import sys, pathlib, pyarrow.parquet as p; "
            "print(sum(p.read_metadata(f).num_rows for f in pathlib.Path(sys.argv[1]).glob('*.parquet') if f.name[:4] not in ('erro', 'vani')))")
    return int(subprocess.run([DUMPER, "-c", code, folder], capture_output=True, text=True, check=True).stdout)


def compare(kind, latency, count, consumers):
    config = {"store": {"name": "s3://bucket", "obstore_config": {"region": "us-east-1", "endpoint": f"http://127.0.0.1:{PORT}", "skip_signature": True,
                                                                  "client_options": {"allow_http": True}}},
              "concurrency": {"n_consumers": consumers, "list_chunk_size": 10000, "max_buffer_size": 1000000, "write_chunk_size": 100000}}
    path = FOLDER / "config.yaml"
    path.write_text(json.dumps(config))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    server = Server(latency / 1000)
    results = {}
    dumper = pathlib.Path(DUMPER).parent / "tiff-dumper"
    try:
        for repeat in range(REPEATS):
            for tool in ("weir", "tiff-dumper"):
                out = FOLDER / "out"
                shutil.rmtree(out, ignore_errors=True)
                if tool == "tiff-dumper":
                    out.mkdir()
                command = [WEIR, "headers", path, out, "--quiet"] if tool == "weir" else [dumper, "headers", "--quiet", path, out]
                server.counts()
                done = measured(command, lambda: parquet_rows(out), environment)
                requests, sent, pages = server.counts()
                if done is not None:
                    results.setdefault(tool, []).append((*done, requests, sent))
    finally:
        server.stop()
    line = f"{kind:22} {latency:4} ms"
    best = {}
    for tool in ("weir", "tiff-dumper"):
        if tool not in results:
            line += f" | {tool}: more than {MOST_SECONDS} s, or failed"
            continue
        seconds, cpu, peak, rows, requests, sent = min(results[tool])
        best[tool] = (rows / seconds, cpu / rows)
        line += (f" | {tool:11} {rows / seconds:8.0f}/s {cpu / rows * 1e6:7.0f} ms/1000 {requests / rows:7.2f} req "
                 f"{sent / rows / 1024:7.1f} KiB {peak:5.0f} MiB")
    if len(best) == 2:
        line += f" | {best['weir'][0] / best['tiff-dumper'][0]:.1f}x, CPU 1/{best['tiff-dumper'][1] / best['weir'][1]:.1f}"
    print(line, flush=True)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    kinds = [kind for kind in KINDS if len(sys.argv) < 7 or sys.argv[6] in kind]
    latencies = [int(part) for part in sys.argv[7].split(",")] if len(sys.argv) > 7 else [0, 10, 50, 150]
    for kind in kinds:
        # Thousands of serial requests each: a few files say enough of those.
        fill(kind, FILES if "giant" not in kind else max(64, FILES // 20))
        for latency in latencies:
            compare(kind, latency, FILES, CONSUMERS)


main()
