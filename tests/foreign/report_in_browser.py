"""The page of --report run.html is opened in a headless Chromium: no script complains, graph, timeline and verdict are
there and say what limited the run, and names from users stay text. The trace of --trace is JSON with the fields that
Perfetto needs."""

import html.parser
import json
import os
import re
import shutil
import subprocess
import tempfile

from support import checks

CHILD = checks.pathlib.Path(checks.WEIR).parent.parent / "tests" / "report_page_child"
HOSTILE = "</script><b id=injected>\"&'`${1}\\ "


class Page(html.parser.HTMLParser):
    """What is in a page as the browser sees it after its scripts have run."""

    def __init__(self, text):
        super().__init__()
        self.by_id, self.tags, self._open, self.texts = {}, [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag not in ("meta", "link", "br", "img", "hr", "input"):
            self._open.append((tag, attributes.get("id")))
        if "id" in attributes:
            self.by_id[attributes["id"]] = attributes

    def handle_endtag(self, tag):
        while self._open:
            opened, _ = self._open.pop()
            if opened == tag:
                break

    def handle_data(self, data):
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data + " "

    def text(self, name):
        return " ".join(self.texts.get(name, "").split())


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(path, *, screenshot=None, seconds=60):
    """(the page after its scripts, what the browser's console says)."""
    with tempfile.TemporaryDirectory(dir=checks.SCRATCH) as profile:
        command = [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            f"--user-data-dir={profile}", "--window-size=1280,1800", "--virtual-time-budget=5000",
            "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        command += [f"--screenshot={screenshot}"] if screenshot else ["--dump-dom"]
        done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=seconds,
                              env={**os.environ, "HOME": profile})
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Uncaught" in line]
    if done.returncode != 0:
        raise RuntimeError(f"chromium exits with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout, console


def problems_of_page(path, *, names, headline=None):
    """What is wrong with a page."""
    text, console = browse(path)
    page = Page(text)
    problems = [f"the console says {line}" for line in console]
    if 'data-drawn="yes"' not in text:
        problems.append("the script did not come to its end")
        return problems
    for part in ("verdict", "graph", "timeline", "reasons", "settings"):
        if part not in page.by_id:
            problems.append(f"there is no {part}")
    if "injected" in page.by_id:
        problems.append("a name became markup")
    boxes = sum(tag == "g" and a.get("class") == "node" for tag, a in page.tags)
    if boxes != len(names) + 1:
        problems.append(f"the graph has {boxes} boxes instead of {len(names)} and admission")
    if sum(tag == "path" and a.get("class") == "edge" for tag, a in page.tags) < len(names):
        problems.append("edges are missing")
    if sum(tag == "path" and a.get("class") == "slices" for tag, a in page.tags) < 3:
        problems.append("the timeline is empty")
    for name in ["admission", *names]:
        if " ".join(name.split()) not in page.text("graph"):
            problems.append(f"the graph does not name {name}")
    if headline and not re.search(headline, page.text("verdict")):
        problems.append(f"the verdict is {page.text('verdict')[:200]}")
    if any("NaN" in value or "undefined" in value or "Infinity" in value
           for _, a in page.tags for value in a.values() if value):
        problems.append("an attribute is no number")
    for word in ("NaN", "undefined", "[object"):
        if word in page.text("main"):
            problems.append(f"the page says {word}")
    return problems


def problems_of_trace(path, *, nodes):
    """Chrome's trace event format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU"""
    trace = json.loads(path.read_text(encoding="utf-8"))
    problems, names, threads, ends = [], set(), {}, {}
    if not isinstance(trace.get("traceEvents"), list) or not trace["traceEvents"]:
        return ["there are no events"]
    for event in trace["traceEvents"]:
        kind = event.get("ph")
        if kind not in ("M", "X", "C") or not isinstance(event.get("pid"), int) or not isinstance(event.get("name"), str):
            problems.append(f"not an event: {event}")
        elif kind == "M":
            if event["name"] == "thread_name":
                threads[event["tid"]] = event["args"]["name"]
            elif event["name"] not in ("process_name", "thread_sort_index"):
                problems.append(f"unknown metadata: {event}")
        else:
            if not isinstance(event.get("ts"), (int, float)) or not isinstance(event.get("args"), dict):
                problems.append(f"no time or no arguments: {event}")
            if kind == "C":
                if not all(isinstance(value, (int, float)) for value in event["args"].values()):
                    problems.append(f"a counter that does not count: {event}")
            else:
                names.add(event["name"])
                if event["tid"] not in threads:
                    problems.append(f"a slice on a thread without a name: {event}")
                # Rounded to nanoseconds.
                if event["ts"] + 0.002 < ends.get(event["tid"], 0) or event["dur"] < 0:
                    problems.append(f"slices overlap: {event}")
                ends[event["tid"]] = event["ts"] + event["dur"]
    problems += [f"node {node} has no slice" for node in nodes if node not in names]
    return problems[:5]


def made(kind):
    page, trace = checks.SCRATCH / f"{kind}.html", checks.SCRATCH / f"{kind}.json"
    checks.run(CHILD, kind, page, trace)
    return page, trace


def converted():
    """(page, trace) of a run of the command."""
    page, trace = checks.SCRATCH / "convert.html", checks.SCRATCH / "convert.json"
    checks.weir("convert", "terrain:2048x2048:uint16", checks.SCRATCH / "out.tif", "--report", page, "--trace", trace,
                "--overwrite", "--quiet")
    return page, trace


def told_apart(kind, headline, nodes):
    """Times depend on the machine: three tries."""
    for _ in range(3):
        page, trace = made(kind)
        problems = problems_of_page(page, names=nodes, headline=headline)
        if not problems:
            break
    return problems, trace


def main():
    nodes = ["plan", "fetch", "decode", "pack", "file", "statistics"]
    of_convert = ["plan", "decode", "assemble", "cut", "compress", "tif"]
    has_browser = chromium() is not None
    if not has_browser:
        checks.skip("pages in a browser", "there is no chromium")
    page, trace = converted()
    if has_browser:
        checks.check("the page of a conversion is drawn", problems_of_page(page, names=of_convert))
    checks.check("the trace of a conversion is one for Perfetto", problems_of_trace(trace, nodes=of_convert))

    for kind, headline in {"sink": r"^Writing was the limit: file was busy",
                           "source": r"^The source was the limit: fetch was busy",
                           "budget": r"^The budget was the limit: .* --memory \w+ would let 6 units",
                           "cores": r"^The (cores|compute threads) were the limit"}.items():
        if has_browser:
            problems, trace = told_apart(kind, headline, nodes)
            checks.check(f"the page of a run limited by its {kind} is drawn and says so", problems)
        else:
            trace = made(kind)[1]
        checks.check(f"the trace of a run limited by its {kind} is one for Perfetto", problems_of_trace(trace, nodes=nodes))

    page, trace = made("hostile")
    if has_browser:
        hostile = [HOSTILE if name == "file" else name for name in nodes]
        checks.check("names that look like markup stay text", problems_of_page(page, names=hostile))
    checks.check("a trace with names that look like markup is JSON", problems_of_trace(trace, nodes=nodes[:4]))

    page, trace = made("failed")
    if has_browser:
        checks.check("the page of a failed run says why it failed",
                     problems_of_page(page, names=nodes, headline="^The run failed: .*the disk is gone"))
    page, trace = made("long")
    if has_browser:
        checks.check("the page of many small items is drawn", problems_of_page(page, names=nodes))
        picture = checks.SCRATCH / "long.png"
        browse(page, screenshot=picture)
        checks.check("the page can be photographed", [] if picture.stat().st_size > 50000 else ["the picture is empty"])
    checks.finish()


if __name__ == "__main__":
    main()
