// The fixed parts of the page that to_html makes: style and frame, and the script that draws the run, which
// stands as JSON between them. The script makes every text with textContent, never with innerHTML, so that no
// name can become markup.

#include "framework/report_page.hpp"

namespace weir::detail {

const char* const report_page_head =
    R"page(<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --soft: #5c6878; --line: #d9dee5; --track: #e9edf2;
  --busy: #2f6fd0; --thread: #8a56c9; --order: #1a9a8b; --input: #c3ccd8; --bytes: #e08a1e; --tokens: #e3bd4a;
  --done: #eceff3; --limit: #d63d22; --limit-soft: #fdeae6; --link: #8895a7; --edge: #8895a7;
  --n0: #2f6fd0; --n1: #e07b2a; --n2: #2a9d5c; --n3: #c2417c; --n4: #7a5bd0; --n5: #b08b17; --n6: #1596b4;
  --n7: #8b6044; --n8: #6b8e23; --n9: #d0584f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b212a; --ink: #e6ebf2; --soft: #9aa7b8; --line: #313a47; --track: #29313d;
    --busy: #5a96f2; --thread: #a97fe6; --order: #35b8a8; --input: #556274; --bytes: #e8993c; --tokens: #d9b654;
    --done: #232a34; --limit: #ff7358; --limit-soft: #3a211c; --link: #7c8a9d; --edge: #7c8a9d;
    --n0: #5a96f2; --n1: #f0954a; --n2: #4cbb7b; --n3: #e06a9d; --n4: #9c82ec; --n5: #d1ab3a; --n6: #3cb4d1;
    --n7: #b58a6d; --n8: #93b54a; --n9: #ee7f77;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1264px; margin: 0 auto; padding: 20px 20px 48px; }
h1 { font-size: 15px; font-weight: 600; color: var(--soft); margin: 0 0 10px; overflow-wrap: anywhere; }
h2 { font-size: 15px; font-weight: 650; margin: 0 0 2px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin: 0 0 14px; }
.note { color: var(--soft); font-size: 12.5px; margin: 0 0 10px; }
.verdict { border-left: 6px solid var(--limit); }
.verdict.good { border-left-color: var(--busy); }
.verdict p { margin: 0; }
.verdict .headline { font-size: 20px; line-height: 1.35; font-weight: 650; overflow-wrap: anywhere; }
.verdict .details { color: var(--soft); margin-top: 6px; max-width: 110ch; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px 18px; margin-top: 14px; }
.figures b { display: block; font-size: 16px; font-weight: 650; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: 12px; line-height: 1.3; display: block; }
.scroll { overflow-x: auto; }
svg { display: block; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
svg text { fill: var(--ink); }
svg text.soft { fill: var(--soft); }
svg text.edge-label { font-size: 10.5px; paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
svg .grid { stroke: var(--line); stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 4px; font-size: 12.5px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 6px 24px; }
.columns h3 { font-size: 13px; margin: 8px 0 4px; overflow-wrap: anywhere; }
.slow { display: grid; grid-template-columns: minmax(0, 1fr) 70px; gap: 0 8px; font-size: 12.5px; position: relative; padding: 1px 4px; }
.slow span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; position: relative; }
.slow span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.slow i { position: absolute; inset: 1px auto 1px 0; background: var(--track); border-radius: 3px; }
table { border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.flags { display: flex; align-items: center; gap: 10px; margin: 6px 0; }
.flags span { width: 72px; color: var(--soft); font-size: 12.5px; }
.flags code { flex: 1; background: var(--track); border-radius: 6px; padding: 7px 10px; font: 13px ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
button { font: inherit; font-size: 12.5px; border: 1px solid var(--line); background: var(--card); color: var(--ink); border-radius: 6px; padding: 5px 12px; cursor: pointer; }
button:hover { border-color: var(--busy); }
#tip { position: fixed; z-index: 2; pointer-events: none; background: var(--ink); color: var(--page); border-radius: 6px;
  padding: 5px 9px; font-size: 12.5px; max-width: 360px; white-space: pre-line; display: none; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main id="main"></main>
<div id="tip"></div>
)page";

const char* const report_page_script = R"page(<script>
"use strict";
const run = JSON.parse(document.getElementById("run").textContent);
const report = run.report, recording = run.recording, verdict = run.verdict, nodes = report.nodes;
const wall = Math.max(report.wall_seconds, 1e-9);

// ---- words

const units = (value, step, names, digits) => {
  let i = 0;
  while (value >= step && i < names.length - 1) { value /= step; ++i; }
  return (i === 0 ? Math.round(value) : value.toFixed(value < 10 ? digits : value < 100 ? 1 : 0)) + " " + names[i];
};
const bytes = n => units(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB"], 1);
const count = n => Math.round(n).toLocaleString("en-US");
const percent = share => { const p = Math.max(0, Math.min(1, share)) * 100; return (p > 0 && p < 1 ? "< 1" : Math.round(p)) + " %"; };
const seconds = s => s >= 100 ? s.toFixed(0) + " s" : s >= 1 ? s.toPrecision(3) + " s"
  : s >= 1e-3 ? (s * 1e3).toPrecision(3) + " ms" : (s * 1e6).toFixed(0) + " \u00b5s";
const plural = (n, word) => count(n) + " " + word + (n === 1 ? "" : "s");
const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + "\u2026" : text;
const share_busy = node => node.busy_seconds / (wall * Math.max(node.concurrency, 1));
const color_of = node => node === -1 ? "var(--bytes)" : node === -2 ? "var(--tokens)" : "var(--n" + node % 10 + ")";

// ---- drawing: text becomes text, never markup

function element(kind, attributes, ...children) {
  const made = kind.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", kind.slice(4))
                                       : document.createElement(kind);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "tip") hover(made, value);
    else made.setAttribute(name, value);
  }
  for (const child of children) made.append(child);
  return made;
}
const tip = document.getElementById("tip");
function show_tip(event, text) {
  tip.textContent = text;
  tip.style.display = text ? "block" : "none";
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 8) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - box.height - 8) + "px";
}
function hover(made, text) {
  made.addEventListener("mousemove", event => show_tip(event, text));
  made.addEventListener("mouseleave", event => show_tip(event, ""));
}
const text = (x, y, words, more) => element("svg:text", {x, y, ...more}, words);
const rect = (x, y, width, height, more) => element("svg:rect", {x, y, width: Math.max(width, 0), height, ...more});
const card = (id, title, note, ...children) => element("section", {class: "card", id},
  element("h2", {}, title), element("p", {class: "note"}, note), ...children);

// ---- at the top: what limited the run

function draw_verdict() {
  const moved = nodes.filter(n => n.output_type === "").reduce((sum, n) => sum + n.bytes_in, 0);
  const inputs = nodes.some(n => n.is_input) ? nodes.filter(n => n.is_input) : nodes.filter(n => n.kind === "source");
  const read = inputs.reduce((sum, n) => sum + n.bytes_out, 0);
  const figure = (value, name) => element("div", {}, element("b", {}, value), element("span", {}, name));
  const good = !report.error && (verdict.limit === "none" || verdict.limit === "cores");
  return element("section", {class: "card verdict" + (good ? " good" : ""), id: "verdict"},
    element("p", {class: "headline"}, verdict.headline),
    element("p", {class: "details"}, verdict.details.join(" ")),
    element("div", {class: "figures"},
      figure(seconds(report.wall_seconds), "from start to end"),
      figure((report.cpu_seconds / wall).toFixed(2) + " of " + report.threads, "cores used, on average"),
      figure(bytes(read / wall) + "/s", bytes(read) + " in"),
      figure(bytes(moved / wall) + "/s", bytes(moved) + " out"),
      figure(bytes(report.peak_leased) + " of " + bytes(report.memory_limit), "memory at the peak, of the budget"),
      figure(report.most_units_in_flight + " of " + report.tokens, "units in flight at most, of the tokens"),
      figure(percent(report.waiting_for_bytes_seconds / wall), "admission waited for bytes"),
      figure(percent(report.waiting_for_tokens_seconds / wall), "admission waited for tokens")));
}

// ---- the graph as a picture: layers from left to right by the longest way from a source

function draw_graph() {
  const index = new Map(nodes.map((node, i) => [node.name, i]));
  const layer = nodes.map(() => 1), layers = [];
  nodes.forEach((node, i) => { for (const input of node.inputs) layer[i] = Math.max(layer[i], layer[index.get(input)] + 1); });
  // Sources stand right before those who take their items.
  for (let i = nodes.length - 1; i >= 0; --i) {
    if (nodes[i].inputs.length) continue;
    const next = nodes.map((n, j) => n.inputs.includes(nodes[i].name) ? layer[j] : Infinity);
    const first = Math.min(...next);
    if (isFinite(first)) layer[i] = Math.max(1, first - 1);
  }
  // In the layers that an edge passes it has a place of its own, so that it runs between the boxes.
  const wide = 122, high = 78, slim = 16, gap_x = 62, gap_y = 26, start = {inputs: [], high}, boxes = nodes.map(() => ({inputs: [], high})), edges = [];
  const join_layer = (entry, column) => { (layers[column] = layers[column] || []).push(entry); return entry; };
  const connect = (from, to, column, last) => {
    const way = [from];
    for (; column < last; ++column) way.push(join_layer({inputs: [way[way.length - 1]], high: slim}, column));
    to.inputs.push(way[way.length - 1]);
    edges.push([...way, to]);
    return edges[edges.length - 1];
  };
  join_layer(start, 0);
  nodes.forEach((node, i) => {
    join_layer(boxes[i], layer[i]);
    if (!node.inputs.length) connect(start, boxes[i], 1, layer[i]).words = [node.items_in, "units", 0, plural(node.items_in, "unit") + " admitted"];
    for (const name of new Set(node.inputs)) {
      const from = nodes[index.get(name)];
      connect(boxes[index.get(name)], boxes[i], layer[index.get(name)] + 1, layer[i]).words = [from.items_out, bytes(from.bytes_out), from.bytes_out,
        `${name} \u2192 ${node.name}\n${plural(from.items_out, "item")}, ${bytes(from.bytes_out)}\n${from.output_type}`];
    }
  });
  const tall = layers.map(members => members.reduce((sum, entry) => sum + entry.high + gap_y, 0)), height = Math.max(...tall);
  const width = 16 + layers.length * (wide + gap_x) - gap_x;
  layers.forEach((members, column) => {
    // Each where its inputs are, in the middle: fewer crossings.
    for (const entry of members) entry.wish = entry.inputs.reduce((sum, input) => sum + input.middle, 0) / Math.max(entry.inputs.length, 1);
    members.sort((a, b) => a.wish - b.wish);
    let y = (height - tall[column]) / 2 + gap_y / 2;
    for (const entry of members) {
      Object.assign(entry, {x: 8 + column * (wide + gap_x), y, middle: y + entry.high / 2});
      y += entry.high + gap_y;
    }
  });
  const picture = element("svg:svg", {id: "graph", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": "The graph", width: "100%", style: `min-width:${Math.round(width * 0.72)}px;max-width:${width}px`});
  picture.append(element("svg:defs", {}, element("svg:marker", {id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4,
    markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto"},
    element("svg:path", {d: "M0 0L8 4L0 8z", style: "fill:var(--edge)"}))));
  const most = Math.max(1, ...nodes.map(n => n.bytes_out));
  const labels = [];  // over all edges
  const short_count = n => n < 100000 ? count(n) : units(n, 1000, ["", "k", "M", "G"], 1).replace(" ", "");
  for (const way of edges) {
    const [items, below, size, words] = way.words;
    let d = "";
    way.slice(1).forEach((to, i) => {
      const from = way[i], x1 = from.x + wide, x2 = to.x - (i === way.length - 2 ? 2 : 0), bend = (x2 - x1) / 2;
      d += (d ? "H" + x1 : `M${x1} ${from.middle}`) + `C${x1 + bend} ${from.middle} ${x2 - bend} ${to.middle} ${x2} ${to.middle}`;
    });
    picture.append(element("svg:path", {d, class: "edge", style: `fill:none;stroke:var(--edge);stroke-width:${1.5 + 3.5 * size / most}`,
      "marker-end": "url(#arrow)"}), element("svg:path", {d, style: "fill:none;stroke:transparent;stroke-width:14", tip: words}));
    // The labels of an edge stand in its last gap, where fewest meet.
    const to = way[way.length - 1], from = way[way.length - 2], y = (from.middle + to.middle) / 2, x = to.x - gap_x / 2;
    const bent = Math.abs(from.middle - to.middle) > 20 ? 3 : 0;
    labels.push(text(x, y - 7 + bent, short_count(items), {"text-anchor": "middle", class: "soft edge-label"}),
                text(x, y + 16 - bent, below, {"text-anchor": "middle", class: "soft edge-label"}));
  }
  picture.append(...labels);
  const box = (i, name, kind, share, below, color, is_limit, words) => {
    const {x, y} = i < 0 ? start : boxes[i];
    const group = element("svg:g", {class: "node", tip: words});
    group.append(rect(x, y, wide, high, {rx: 8, style: `fill:var(${is_limit ? "--limit-soft" : "--card"});stroke:var(${is_limit ? "--limit" : "--line"});stroke-width:${is_limit ? 2.5 : 1.3}`}),
      element("svg:svg", {x: x + 10, y, width: wide - 14, height: high},  // cuts names that are too long
        text(0, 20, name, {style: "font-weight:650;font-size:13px"}),
        text(0, 36, kind, {class: "soft", style: "font-size:11px"})),
      rect(x + 10, y + 44, wide - 20, 9, {rx: 3, style: "fill:var(--track)"}),
      rect(x + 10, y + 44, (wide - 20) * Math.min(1, share), 9, {rx: 3, style: `fill:${color}`}),
      text(x + 10, y + 68, below, {style: "font-size:11.5px"}));
    picture.append(group);
  };
  const waits = [report.waiting_for_bytes_seconds / wall, report.waiting_for_tokens_seconds / wall];
  const by_bytes = waits[0] >= waits[1], stuck = Math.max(...waits);
  box(-1, "admission", plural(report.units, "unit"), stuck, stuck < 0.005 ? "never waits" : percent(stuck) + (by_bytes ? " no bytes" : " no tokens"),
    verdict.limit === "budget" || verdict.limit === "tokens" ? "var(--limit)" : by_bytes ? "var(--bytes)" : "var(--tokens)", verdict.limit === "budget" || verdict.limit === "tokens",
    `Admission waited for bytes ${percent(waits[0])} of the time, for tokens ${percent(waits[1])}`);
  nodes.forEach((node, i) => {
    const limit = verdict.node === node.name && verdict.limit !== "none";
    box(i, node.name, node.kind + (node.concurrency > 1 ? " \u00d7 " + node.concurrency : "") + (node.lane === "io" ? ", I/O" : ""),
      share_busy(node), percent(share_busy(node)) + " busy", limit ? "var(--limit)" : "var(--busy)", limit,
      `${node.name}: ${node.kind}, ${node.lane === "io" ? "I/O threads" : "compute threads"}\n` +
      `at most ${node.concurrency} at once, ${node.most_in_flight} were\n` +
      `busy ${seconds(node.busy_seconds)}, ${percent(share_busy(node))} of what it could\n` +
      `${plural(node.items_in, "item")} in, ${count(node.items_out)} out; ${bytes(node.bytes_in)} in, ${bytes(node.bytes_out)} out`);
  });
  return card("graph-card", "The graph",
    "Bars: the share of the time that a node was busy, in all its places (\u00d7 N). Edges: items and bytes. Outlined: what limited the run.",
    element("div", {class: "scroll"}, picture));
}

// ---- why nodes did nothing

const reasons = [
  ["busy", "--busy", "working"], ["thread", "--thread", "an item was ready, but no thread was free"],
  ["order", "--order", "items were there, but not the one whose turn it was"],
  ["input", "--input", "no input"], ["bytes", "--bytes", "admission waited for bytes"],
  ["tokens", "--tokens", "admission waited for tokens"], ["done", "--done", "all done, or not begun"]];

function draw_reasons() {
  const rows = [{name: "admission", parts: {bytes: report.waiting_for_bytes_seconds, tokens: report.waiting_for_tokens_seconds}}];
  rows[0].parts.done = Math.max(0, wall - rows[0].parts.bytes - rows[0].parts.tokens);
  nodes.forEach(node => rows.push({name: node.name, node, parts: {busy: node.busy_seconds / Math.max(node.concurrency, 1), ...node.idle}}));
  const left = 130, right = 78, width = 1230, row = 24;
  const picture = element("svg:svg", {id: "reasons", viewBox: `0 0 ${width} ${rows.length * row}`, width: "100%", role: "img",
    "aria-label": "What each node did with its time"});
  rows.forEach(({name, node, parts}, i) => {
    const limit = node ? verdict.node === name && verdict.limit !== "none" : verdict.limit === "budget" || verdict.limit === "tokens";
    picture.append(text(left - 10, i * row + 16, cut(name, 17), {"text-anchor": "end", style: limit ? "font-weight:700;fill:var(--limit)" : ""}));
    const sum = Math.max(wall, Object.values(parts).reduce((a, b) => a + b, 0));
    let x = left;
    for (const [key, color, words] of reasons) {
      const long = (parts[key] || 0) / sum * (width - left - right);
      if (long <= 0) continue;
      picture.append(rect(x, i * row + 3, long, row - 7, {style: `fill:var(${color})`, class: "reason-" + key,
        tip: `${name}: ${words}\n${percent(parts[key] / sum)}, ${seconds(parts[key])}`}));
      if (long > 42 && key !== "done" && key !== "input")
        picture.append(text(x + long / 2, i * row + 16, percent(parts[key] / sum), {"text-anchor": "middle",
          style: `fill:${key === "bytes" || key === "tokens" ? "#1c2430" : "#fff"};font-size:11px;pointer-events:none`}));
      x += long;
    }
    picture.append(text(width - right + 10, i * row + 16, node ? percent(parts.busy / sum) + " busy" : percent((parts.bytes + parts.tokens) / sum) + " waits", {class: "soft"}));
  });
  const legend = element("div", {class: "legend"});
  for (const [, color, words] of reasons) legend.append(element("span", {}, element("i", {style: `background:var(${color})`}), words));
  return card("reasons-card", "What each node did with its time",
    "The whole run, in all places of a node (mean). Reasons are taken from samples; busy time is exact.", picture, legend);
}

// ---- over time: threads, memory, units, queues, one above the other on one axis

const whole = {from: 0, to: wall * 1e6};
let shown = {...whole};

function draw_time(holder) {
  const left = 130, right = 78, width = 1230, lane = 21, plot = width - left - right;
  const x_of = us => left + (us - shown.from) / (shown.to - shown.from) * plot;
  const samples = recording.samples, parts = [];
  let y = 20;
  const picture = element("svg:svg", {id: "timeline", width: "100%", style: "cursor:crosshair;user-select:none"});
  picture.append(element("svg:clipPath", {id: "plot"}, rect(left, 0, plot, 10000, {})));
  const body = element("svg:g", {"clip-path": "url(#plot)"});
  const heading = words => { y += 12; picture.append(text(left, y + 4, words, {style: "font-weight:600;font-size:12px"})); y += 12; };
  const label = (words, height, more) => picture.append(text(left - 10, y + height / 2 + 4, cut(words, 17), {"text-anchor": "end", ...more}));

  for (const thread of recording.threads) {
    label(thread.name, lane);
    body.append(rect(left, y + 2, plot, lane - 4, {style: "fill:var(--track)"}));
    const paths = new Map();
    let inside = 0;
    for (const [start, long, node] of thread.slices) {
      const from = Math.max(start, shown.from), to = Math.min(start + long, shown.to);
      if (to < from) continue;
      inside += to - from;
      const x1 = x_of(from), x2 = Math.max(x_of(to), x1 + 0.25);
      paths.set(node, (paths.get(node) || "") + `M${x1.toFixed(2)} ${y + 2}H${x2.toFixed(2)}v${lane - 4}H${x1.toFixed(2)}z`);
    }
    for (const [node, d] of paths) body.append(element("svg:path", {d, class: "slices", style: `fill:${color_of(node)}`}));
    picture.append(text(width - right + 10, y + 15, percent(inside / (shown.to - shown.from)) + (thread.id === 0 ? " waits" : " busy"), {class: "soft"}));
    parts.push({y, height: lane, thread});
    y += lane;
  }
  // A step chart: values hold until the next sample.
  const chart = (height, top, value, style, is_area, fill_to) => {
    if (!samples.length) return;
    let d = "";
    samples.forEach((sample, i) => {
      const from = i === 0 ? 0 : samples[i - 1][0];
      if (sample[0] < shown.from || from > shown.to) return;
      const h = y + height - Math.min(1, value(sample, i) / top) * (height - 2);
      d += (d ? "L" : is_area ? `M${x_of(from).toFixed(1)} ${y + height}L` : "M") + `${x_of(from).toFixed(1)} ${h.toFixed(1)}H${x_of(sample[0]).toFixed(1)}`;
      fill_to = sample[0];
    });
    if (d && is_area) d += `V${y + height}z`;
    if (d) body.append(element("svg:path", {d, style}));
  };
  const base = height => body.append(rect(left, y, plot, height, {style: "fill:var(--track)", opacity: 0.45}));
  const right_note = (words, where, more) => picture.append(text(width - right + 10, where, words, {class: "soft", style: "font-size:11px", ...more}));

  heading("Memory against the budget");
  const memory = 78, top = report.memory_limit * 1.06;
  base(memory);
  label("leased", memory - 26, {style: "fill:var(--busy);font-weight:600"});
  label("really used", memory + 6, {style: "fill:var(--order);font-weight:600"});
  chart(memory, top, sample => sample[1], "fill:var(--busy);opacity:.35", true);
  chart(memory, top, sample => sample[1], "fill:none;stroke:var(--busy);stroke-width:1.5", false);
  chart(memory, top, sample => sample[2], "fill:none;stroke:var(--order);stroke-width:1.5", false);
  const limit_y = y + memory - (memory - 2) / 1.06;
  picture.append(element("svg:line", {x1: left, x2: left + plot, y1: limit_y, y2: limit_y, style: "stroke:var(--bytes);stroke-width:1.5;stroke-dasharray:6 4"}));
  right_note(bytes(report.memory_limit), limit_y + 4);
  right_note("0", y + memory);
  parts.push({y, height: memory, memory: true});
  y += memory;

  heading("Units in flight");
  const flight = 36;
  base(flight);
  label("of " + plural(report.tokens, "token"), flight, {class: "soft"});
  chart(flight, Math.max(report.tokens, 1) * 1.06, sample => sample[3], "fill:var(--tokens);opacity:.75", true);
  right_note(String(report.tokens), y + 9);
  right_note("0", y + flight);
  parts.push({y, height: flight, flight: true});
  y += flight;

  heading("Items waiting before each node: where the heap is, the next node is slow");
  const most = Math.max(1, ...recording.queued.flat());
  nodes.forEach((node, i) => {
    const height = 26, own = Math.max(0, ...recording.queued[i]);
    base(height - 3);
    label(node.name, height - 3, {style: verdict.node === node.name ? "font-weight:700;fill:var(--limit)" : ""});
    y -= 3; chart(height, most, (sample, at) => recording.queued[i][at], `fill:${color_of(i)}`, true); y += 3;
    right_note(own ? "up to " + count(own) : "none", y + 16);
    parts.push({y, height, node: i});
    y += height;
  });

  // The axis, with round steps.
  const span = (shown.to - shown.from) / 1e6, raw = span / 9, ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * ten).find(s => s >= raw);
  for (let t = Math.ceil(shown.from / 1e6 / step) * step; t <= shown.to / 1e6 + step * 1e-6; t += step) {
    const x = x_of(t * 1e6);
    picture.append(element("svg:line", {x1: x, x2: x, y1: 17, y2: y, class: "grid", style: "opacity:.6"}));
    for (const at of [12, y + 15])
      picture.append(text(x, at, step >= 1 ? t.toFixed(0) + " s" : step >= 1e-3 ? (t * 1e3).toFixed(0) + " ms" : (t * 1e6).toFixed(0) + " \u00b5s", {"text-anchor": "middle", class: "soft", style: "font-size:11px"}));
  }
  picture.append(body);
  const cursor = element("svg:line", {x1: 0, x2: 0, y1: 17, y2: y, style: "stroke:var(--ink);stroke-width:1;display:none;pointer-events:none"});
  const chosen = rect(0, 17, 0, y - 17, {style: "fill:var(--busy);opacity:.2;pointer-events:none"});
  picture.append(cursor, chosen);
  picture.setAttribute("viewBox", `0 0 ${width} ${y + 22}`);

  // The pointer tells what is under it; dragging zooms.
  let pressed = null;
  const at = event => {
    const box = picture.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * width, us = shown.from + (x - left) / plot * (shown.to - shown.from);
    return {x, us, y: (event.clientY - box.top) / box.width * width};
  };
  const words_at = ({us, y}) => {
    const part = parts.find(p => y >= p.y && y < p.y + p.height), when = seconds(us / 1e6);
    if (!part) return "";
    if (part.thread) {
      const slice = part.thread.slices.find(s => us >= s[0] && us <= s[0] + s[1]);
      if (!slice) return `${part.thread.name}, at ${when}\n` + (part.thread.id === 0 ? "did not wait" : "nothing to do");
      const [start, long, node, ticket, bodies] = slice;
      if (node < 0) return `admission waited for ${node === -1 ? "bytes" : "tokens"}\n${seconds(long / 1e6)}, from ${seconds(start / 1e6)}`;
      return `${nodes[node].name}: ` + (bodies === 0 ? "opens or closes" : bodies === 1 ? "item " + count(ticket) : `${count(bodies)} items from ${count(ticket)} on`) +
        `\n${seconds(long / 1e6)}, from ${seconds(start / 1e6)}`;
    }
    const i = samples.findIndex(s => s[0] >= us), sample = samples[i];
    if (!sample) return "";
    if (part.memory) return `at ${when}\nleased ${bytes(sample[1])}\nreally used ${bytes(sample[2])}\nbudget ${bytes(report.memory_limit)}`;
    if (part.flight) return `at ${when}\n${plural(sample[3], "unit")} in flight, ${report.tokens} allowed`;
    return `at ${when}\n${plural(recording.queued[part.node][i], "item")} before ${nodes[part.node].name}`;
  };
  picture.addEventListener("mousemove", event => {
    const here = at(event), inside = here.x >= left && here.x <= left + plot;
    cursor.style.display = inside ? "" : "none";
    cursor.setAttribute("x1", here.x);
    cursor.setAttribute("x2", here.x);
    if (pressed) {
      chosen.setAttribute("x", Math.min(here.x, pressed.x));
      chosen.setAttribute("width", Math.abs(here.x - pressed.x));
    }
    show_tip(event, inside ? words_at(here) : "");
  });
  picture.addEventListener("mouseleave", event => { cursor.style.display = "none"; show_tip(event, ""); });
  picture.addEventListener("mousedown", event => { pressed = at(event); event.preventDefault(); });
  picture.addEventListener("mouseup", event => {
    const here = at(event), from = pressed;
    pressed = null;
    chosen.setAttribute("width", 0);
    if (!from || Math.abs(here.x - from.x) < 5) return;
    const ends = [here.us, from.us].map(us => Math.max(whole.from, Math.min(whole.to, us))).sort((a, b) => a - b);
    if (ends[1] - ends[0] < 10) return;
    shown = {from: ends[0], to: ends[1]};
    draw_time(holder);
  });
  picture.addEventListener("dblclick", () => { shown = {...whole}; draw_time(holder); });
  holder.replaceChildren(picture);
}

function draw_timeline() {
  const holder = element("div", {}), legend = element("div", {class: "legend"});
  nodes.forEach((node, i) => legend.append(element("span", {}, element("i", {style: `background:${color_of(i)}`}), node.name)));
  legend.append(element("span", {}, element("i", {style: "background:var(--bytes)"}), "admission waits for bytes"),
    element("span", {}, element("i", {style: "background:var(--tokens)"}), "admission waits for tokens"));
  draw_time(holder);
  return card("timeline-card", "Over time", "Every thread, and what it worked on. Drag to look closer, double-click for the whole run." +
    (recording.resolution_us ? ` Short pieces of work were put together; their places are right to ${seconds(recording.resolution_us / 1e6)}.` : ""),
    legend, holder);
}

// ---- the rest

function draw_slowest() {
  const columns = element("div", {class: "columns"});
  nodes.forEach((node, i) => {
    const items = recording.slowest[i];
    // Nodes in which nothing takes long are not worth a look.
    if (!items.length || items[0].busy_us < wall * 1e6 * 0.002) return;
    const column = element("div", {}, element("h3", {}, node.name));
    const mean = node.busy_seconds / Math.max(node.items_in, 1);
    for (const item of items) {
      const thread = recording.threads.find(t => t.id === item.thread);
      column.append(element("div", {class: "slow", tip: `${item.name}\nunit ${count(item.unit)}, at ${seconds(item.start_us / 1e6)}, on ${thread ? thread.name : "?"}\n` +
          `${seconds(item.busy_us / 1e6)}; the mean of ${node.name} is ${seconds(mean)}`},
        element("i", {style: `width:${item.busy_us / Math.max(items[0].busy_us, 1) * 100}%`}),
        element("span", {}, item.name), element("span", {}, seconds(item.busy_us / 1e6))));
    }
    columns.append(column);
  });
  return card("slowest-card", "The slowest items", "Per node, by the time inside its body.", columns);
}

function draw_settings() {
  const line = (name, flags, id) => {
    const button = element("button", {}, "Copy");
    button.addEventListener("click", () => {
      // From a file the clipboard may be closed; then the text is selected, ready to be copied.
      const select = () => getSelection().selectAllChildren(code);
      if (navigator.clipboard) navigator.clipboard.writeText(flags).then(() => { button.textContent = "Copied"; }, select);
      else select();
    });
    const code = element("code", {id}, flags);
    return element("div", {class: "flags"}, element("span", {}, name), code, button);
  };
  const lines = [line("this run", verdict.settings, "settings")];
  if (verdict.advice) lines.push(line("to try", verdict.advice, "advice"));
  return card("settings-card", "Settings to copy", `Flags of the command; the smallest --memory that works is ${bytes(report.smallest_memory)}.`, ...lines);
}

function draw_table() {
  const head = ["node", "at once", "items in", "items out", "bytes in", "bytes out", "busy", "mean item", "items waited", "for their turn", "for a free body", "for a thread"];
  const row = (kind, cells) => element("tr", {}, ...cells.map(cell => element(kind, {}, cell)));
  const table = element("table", {}, element("thead", {}, row("th", head)));
  const body = element("tbody", {});
  for (const node of nodes)
    body.append(row("td", [node.name, `${node.most_in_flight} of ${node.concurrency}`, count(node.items_in), count(node.items_out), bytes(node.bytes_in), bytes(node.bytes_out),
      seconds(node.busy_seconds), seconds(node.busy_seconds / Math.max(node.items_in, 1)), seconds(node.waiting_seconds),
      seconds(node.waiting_order_seconds), seconds(node.waiting_body_seconds), seconds(node.waiting_thread_seconds)]));
  table.append(body);
  return card("table-card", "All figures", "Waiting is summed over items, busy time over threads.", element("div", {class: "scroll"}, table));
}

document.getElementById("main").append(element("h1", {}, run.title), draw_verdict(), draw_graph(), draw_reasons(), draw_timeline(),
  draw_slowest(), draw_settings(), draw_table());
document.body.dataset.drawn = "yes";  // for those who wait for it
</script>
</body>
</html>
)page";

}  // namespace weir::detail
