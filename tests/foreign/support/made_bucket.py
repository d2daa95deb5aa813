"""A bucket that is made up: S3's listing and ranges on the loopback device, unsigned, and what goes wrong with single objects there."""

import contextlib
import http.server
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 << 10  # an answer is one write

    def log_message(self, *_):
        pass

    def answer(self, status, body, *headers):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        key = urllib.parse.unquote(url.path).removeprefix("/box").removeprefix("/")
        time.sleep(self.server.latency)
        if not key:
            return self.list_keys(dict(urllib.parse.parse_qsl(url.query)))
        with self.server.lock:
            self.server.gets[key] = self.server.gets.get(key, 0) + 1
        fate, body = self.server.fates.get(key), self.server.objects.get(key)
        if body is None or fate == "gone":
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        if isinstance(fate, int):
            return self.answer(fate, b"<Error><Code>No</Code></Error>")
        if fate == "page":
            return self.answer(200, PAGE, ("Content-Type", "text/html"))
        tag = ("ETag", f'"{self.server.tag(key)}"')
        if fate == "whole":
            return self.answer(200, body, tag)
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        first, last = int(first), min(int(last), len(body) - 1)
        if first > last:
            return self.answer(416, b"", ("Content-Range", f"bytes */{len(body)}"))
        part = body[first:last + 1]
        if fate in ("half", "stalls"):
            self.send_response_only(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[:len(part) // 2])
            self.wfile.flush()
            if fate == "stalls":
                self.server.ends.wait(20)
            self.close_connection = True
            return None
        return self.answer(206, part, ("Content-Range", f"bytes {first}-{last}/{len(body)}"), tag)

    def list_keys(self, query):
        prefix, delimiter, most = query.get("prefix", ""), query.get("delimiter"), min(int(query.get("max-keys", 1000)), 1000)
        after = query.get("continuation-token") or query.get("start-after", "")
        shown, text, more, last = [], [], False, ""
        for key in self.server.sorted_keys:
            if not key.startswith(prefix) or key <= after:
                continue
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if end < 0 else key[:end + 1]
            if shown and shown[-1] == name:
                last = key
                continue
            if len(shown) == most:
                more = True
                break
            shown.append(name)
            last = key
            text.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" if end >= 0 else
                        f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                        f"<ETag>&quot;{self.server.tag(key)}&quot;</ETag><Size>{len(self.server.objects[key])}</Size></Contents>")
        next_page = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        self.answer(200, f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{next_page}{''.join(text)}"
                         "</ListBucketResult>".encode(), ("Content-Type", "application/xml"))


class Bucket(http.server.ThreadingHTTPServer):
    """`objects`: key -> bytes. `fates`: key -> a status that is always answered, or one of "gone" (listed, and not there any more), "page"
    (HTML with status 200), "whole" (200 instead of 206), "half" (the connection ends), "stalls" (after half of the bytes)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, objects, fates=None, latency=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects, self.fates, self.latency = objects, fates or {}, latency
        self.gets, self.lock, self.ends = {}, threading.Lock(), threading.Event()
        self.listed()

    def listed(self):
        """After `objects` were changed."""
        self.sorted_keys = sorted(self.objects)

    def tag(self, key):
        return f"{hash(self.objects[key]) & 0xffffffffffff:012x}"

    def handle_error(self, *_):  # a client that was killed
        pass

    def configuration(self, **more):
        return {"store": {"name": "s3://box", "obstore_config": {
                    "endpoint": f"http://127.0.0.1:{self.server_address[1]}", "region": "here", "skip_signature": True,
                    "client_options": {"timeout": "2s", "allow_http": True},
                    "retry_config": {"max_retries": 1, "backoff": {"init_backoff": "20ms", "max_backoff": "100ms", "base": 2}}}},
                "concurrency": {"n_consumers": 32, "list_chunk_size": 100, "write_chunk_size": 300, "max_buffer_size": 1000}} | more


@contextlib.contextmanager
def serving(*arguments, **more):
    bucket = Bucket(*arguments, **more)
    thread = threading.Thread(target=bucket.serve_forever, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        bucket.ends.set()
        bucket.shutdown()
        bucket.server_close()
