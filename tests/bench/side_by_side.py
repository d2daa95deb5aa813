"""What the families of rows share: commands that are measured, rounds that take turns, medians, bars, tables and the file of results.

Every figure of a program is its process's: wall time from start to end, CPU time (user and system, by wait4), the most memory that was
resident, bytes of the output. Peers that are libraries of Python tell wall and CPU time of the work alone, without the interpreter's
start; so does limit_bench. Nobody syncs but Weir, which always does: on tmpfs that is free. Outputs are removed before a clock starts."""

import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
THREADS = 2


class Bench:
    def __init__(self, settings):
        self.folder = pathlib.Path(settings.folder) / "weir_bench"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows, self.quick, self.full, self.resume = settings.rows, settings.quick, settings.full, settings.resume
        self.results = pathlib.Path(settings.results)
        self.results.mkdir(parents=True, exist_ok=True)
        self.weir = os.environ["WEIR_BIN"]
        self.build = pathlib.Path(os.environ["BENCH_BUILD"])
        self.here, self.python = HERE, sys.executable
        self.prefix = shlex.split(os.environ.get("BENCH_PREFIX", ""))
        self.out = str(self.folder / "out.tif")

    def program(self, name):
        return str(self.build / "bench" / name)

    def path(self, name):
        return str(self.folder / name)

    def run(self, command):
        """A command that is not measured."""
        return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout

    def peer(self, verb, **job):
        """A command that has a library of Python do something: see peers.py."""
        python = "/usr/bin/python3" if job.pop("debian", False) else self.python
        return [python, str(HERE / "peers.py"), json.dumps({"verb": verb, **job})]

    def measure(self, command, output=None, environment=None):
        """What one run took; what it printed as JSON on its last line wins. Raises CalledProcessError."""
        if output:
            for path in (output, output + ".aux.xml"):
                pathlib.Path(path).unlink(missing_ok=True)
        words = [str(word) for word in command]
        with open(self.folder / "said", "w+", encoding="utf-8") as said:
            start = time.monotonic()
            child = subprocess.Popen(self.prefix + words, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.monotonic() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            text = said.read()
        if child.returncode != 0:
            raise subprocess.CalledProcessError(child.returncode, shlex.join(words), text)
        figures = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}
        if output:
            figures["mb"] = os.path.getsize(output) / 1e6
        last = text.strip().rpartition("\n")[2]
        if last.startswith("{"):
            figures.update(json.loads(last))
        return figures

    def family(self, name, intro=""):
        return Family(self, name, intro)


class Family:
    """Rows of one kind, and where they are kept: a line of JSON each in NAME.jsonl."""

    def __init__(self, bench, name, intro):
        self.bench, self.name = bench, name
        self.file = bench.results / f"{name}.jsonl"
        kept = []
        if bench.resume and self.file.exists():
            kept = [json.loads(line) for line in self.file.read_text().splitlines()]
        self.done = {record["row"] for record in kept if "row" in record}
        with open(self.file, "w", encoding="utf-8") as file:
            for record in [{"intro": intro}] + [record for record in kept if "intro" not in record]:
                file.write(json.dumps(record) + "\n")

    def wants(self, row):
        return bool(self.bench.rows.search(f"{self.name} {row}")) and row not in self.done

    def keep(self, record):
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"{self.name}: {record.get('row', record.get('title', ''))}"
              + "".join(f"  MISSED {missed}" for missed in record.get("missed", [])), flush=True)

    def row(self, table, row, tools, bars, seconds, most_rounds=None, what="wall s / CPU s / peak MiB / MB out"):
        """Measures `tools` (name: call without arguments that gives figures), taking turns: as many rounds as fit `seconds`, at least one,
        at most five. `bars` (medians: list of (text, value, wanted, whether it is kept)) are asked with the medians."""
        if not self.wants(row):
            return None
        most_rounds = 1 if self.bench.quick else 5 if self.bench.full else most_rounds or 5
        runs, failed = {name: [] for name in tools}, {}
        start = time.monotonic()
        for number in range(most_rounds):
            for name, work in tools.items():
                if name in failed:
                    continue
                try:
                    runs[name].append(work())
                except (subprocess.CalledProcessError, OSError) as error:
                    failed[name] = (str(error) + "\n" + (getattr(error, "output", "") or ""))[-2000:]
                    if name == "weir":
                        print(failed[name])
            spent = time.monotonic() - start
            if not self.bench.full and spent + spent / (number + 1) > seconds:
                break
        medians = {name: {key: statistics.median(run[key] for run in of) for key in of[0]} for name, of in runs.items() if of}
        told = []
        if "weir" in medians:
            told = bars(medians)
        record = {"table": table, "what": what, "row": row, "rounds": len(runs["weir"]), "tools": medians, "failed": failed,
                  "bars": [{"bar": text, "value": value, "wanted": wanted, "kept": bool(kept)} for text, value, wanted, kept in told],
                  "missed": [f"{text} {value:.2f} ({wanted})" for text, value, wanted, kept in told if not kept]}
        self.keep(record)
        return medians

    def text(self, title, command, text):
        """What another program prints, as it is."""
        self.keep({"title": title, "command": shlex.join(str(word) for word in command), "text": text, "row": title})

    def program(self, title, command, environment=None):
        """Runs one of the other benchmarks where it is wanted, and keeps what it prints."""
        if not self.wants(title):
            return
        if not pathlib.Path(command[0]).exists():
            print(f"{self.name}: {title}: {command[0]} is not there", flush=True)
            return
        words = self.bench.prefix + [str(word) for word in command]
        try:
            done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=None if self.bench.full else 400)
        except subprocess.TimeoutExpired:
            print(f"{self.name}: {title}: more than 400 s", flush=True)
            return
        self.text(title, words, done.stdout + (done.stderr[-2000:] if done.returncode else ""))


def best_peer(medians, key="wall", rooms=1.01):
    """The best of the peers whose output is not larger than Weir's by more than `rooms`: name and figure, or nothing."""
    ours = medians["weir"].get("mb")
    peers = {name: figures[key] for name, figures in medians.items()
             if name not in ("weir", "limit") and key in figures and (ours is None or "mb" not in figures or figures["mb"] <= ours * rooms)}
    return min(peers.items(), key=lambda peer: peer[1]) if peers else None


def never_slower(medians):
    best = best_peer(medians)
    if best is None:
        return []
    # Medians of a few runs differ by some percent from themselves.
    return [(f"best peer ({best[0]}) / Weir", best[1] / medians["weir"]["wall"], ">= 1", best[1] / medians["weir"]["wall"] >= 0.97)]


def at_least(text, value, wanted):
    return (text, value, f">= {wanted:g}", value >= wanted)


def at_most(text, value, wanted):
    return (text, value, f"<= {wanted:g}", value <= wanted)


def cell(figures):
    if figures is None:
        return ""
    parts = [f"{figures['wall']:.3f}" if figures["wall"] < 1 else f"{figures['wall']:.2f}", f"{figures['cpu']:.2f}"]
    if "mib" in figures:
        parts.append(f"{figures['mib']:.0f}")
    if "mb" in figures:
        parts.append(f"{figures['mb']:.1f}")
    return " / ".join(parts)


def markdown(records):
    """The tables of one family."""
    lines, tables = [], {}
    for record in records:
        if "intro" in record:
            lines += [record["intro"], ""] if record["intro"] else []
        elif "table" in record:
            tables.setdefault((record["table"], record["what"]), []).append(record)
        else:
            text = record["text"].rstrip()
            body = [text] if text.lstrip().startswith("|") or "\n|" in text else ["```", text, "```"]
            lines += [f"`{record['command']}`", "", *body, ""]
    for (table, what), rows in tables.items():
        tools = list(dict.fromkeys(name for record in rows for name in record["tools"] if name != "limit"))
        bars = list(dict.fromkeys(bar["bar"].split(" (")[0] for record in rows for bar in record["bars"]))
        lines += [f"{table}; {what}; medians of {min(r['rounds'] for r in rows)} to {max(r['rounds'] for r in rows)} rounds:", "",
                  "| | " + " | ".join([*("Weir" if tool == "weir" else tool for tool in tools), *bars]) + " |",
                  "|---|" + "---:|" * (len(tools) + len(bars))]
        for record in rows:
            cells = [cell(record["tools"].get(tool)) + ("failed" if tool in record["failed"] and tool not in record["tools"] else "") for tool in tools]
            for name in bars:
                found = [bar for bar in record["bars"] if bar["bar"].split(" (")[0] == name]
                said = ""
                if found:
                    who = found[0]["bar"].partition(" (")[2].partition(")")[0]
                    said = f"{found[0]['value']:.2f}" + (f" {who}" if who else "")
                    if not found[0]["kept"]:
                        said = f"**{said}, not {found[0]['wanted']}**"
                cells.append(said)
            lines.append(f"| {record['row']} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def render(results):
    """results.md and results.json of all families that were ever measured there."""
    everything, text = {}, []
    for file in sorted(results.glob("*.jsonl")):
        records = [json.loads(line) for line in file.read_text().splitlines()]
        everything[file.stem] = records
        text += [f"## {file.stem}", "", f"`tests/bench/run.sh {file.stem}`", "", markdown(records)]
    (results / "results.json").write_text(json.dumps(everything, indent=1))
    (results / "results.md").write_text("\n".join(text))
