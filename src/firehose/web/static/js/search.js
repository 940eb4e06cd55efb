// The Search page: a chart to zoom into by dragging, a list to walk by keys. Everything else is the server's.
import uPlot from "uplot";
import { $, block } from "./dom.js";
import { bind } from "./keys.js";
import { List } from "./list.js";
import { Picks } from "./picks.js";
import { attach } from "./querybox.js";
import { clock, dayMonth } from "./times.js";
import { copy } from "./toast.js";

// Kept from one address of the page to the next: whether the facets are shown where they fold, and the last one used.
let unfolded = false, ticked = "";

export function enter() {
  const undo = [], stop = new AbortController(), { signal } = stop;
  const turn = href => window.dispatchEvent(new CustomEvent("turn", { detail: href }));
  const list = $("[data-rows]");
  const rows = list && new List(list, (row, { by }) => { if (by === "pointer" && matchMedia("(max-width: 639px)").matches) location.href = `/events/${row.dataset.seq}`; });

  const box = attach($("form[data-query]"), { submit: q => { const params = new URLSearchParams(location.search); params.delete("cursor"); if (q) params.set("q", q); else params.delete("q"); turn(`/search?${params}`); } });
  const picks = list && new Picks(list, turn);
  const facets = $("[data-facets]");
  const unfold = open => { unfolded = open; facets.setAttribute("aria-expanded", String(open)); };
  facets?.addEventListener("click", () => unfold(!unfolded), { signal });
  facets?.form.addEventListener("change", event => { ticked = event.target.id; }, { signal });
  if (facets) unfold(unfolded);
  // Folded, or behind "more", the ticked value could not keep the focus when the page was written again.
  if (facets && ticked && document.activeElement === document.body) document.getElementById(ticked)?.focus();
  ticked = "";

  const boot = block("boot"), plot = $("[data-plot]");
  if (plot && boot.starts?.length) undo.push(chart(plot, boot, (since, until) => {
    const params = new URLSearchParams(location.search);
    params.delete("cursor");
    params.set("since", since.toISOString());
    params.set("until", until.toISOString());
    turn(`/search?${params}`);
  }));

  undo.push(bind({
    j: () => rows?.move(1), k: () => rows?.move(-1),
    Enter: event => { const row = event.target.closest?.(".ev"); if (!row) return false; location.href = `/events/${row.dataset.seq}`; return true; },
    o: () => { const row = rows?.focused; if (!row) return false; window.open(`/events/${row.dataset.seq}/source`, "_blank", "noopener"); return true; },
    f: () => { const row = rows?.focused; if (!row) return false; const params = new URLSearchParams(location.search); params.delete("cursor"); params.append("kind", row.dataset.kind); turn(`/search?${params}`); return true; },
    y: () => { const row = rows?.focused; copy(row ? `${location.origin}/events/${row.dataset.seq}` : location.href, "Permalink copied"); },
    x: () => picks ? picks.toggle(rows.focused) : false,
    Escape: () => { if (!picks?.clear()) rows?.clear(); },
  }));
  return () => { stop.abort(); undo.forEach(act => act()); rows?.close(); picks?.close(); box.close(); };
}

/** The histogram as a chart of its own; the server's stays where scripts do not run. */
function chart(box, { starts, all, bad, step }, zoom) {
  const drawn = $("svg", box);
  let plot = null;
  const draw = () => {
    plot?.destroy();
    const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(name).trim();
    const bars = uPlot.paths.bars({ size: [0.8, 24], align: 1 });
    const values = (_, splits, __, ___, every) => splits.map(at => {
      const moment = new Date(at * 1000), time = clock(moment);
      if (at - step < starts[0] || at + 2 * step > starts.at(-1)) return "";
      if (every >= 86_400 || time === "00:00:00") return dayMonth(moment);
      return every < 60 ? time : time.slice(0, 5);
    });
    const axis = { values, space: 76, stroke: colour("--chart-axis"), font: `11px ${colour("--sans")}`, grid: { show: false }, ticks: { show: false } };
    plot = new uPlot({
      width: box.clientWidth, height: 108, legend: { show: false }, padding: [6, 0, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: true, range: () => [starts[0], starts.at(-1) + step] }, y: { range: (_, low, high) => [0, Math.max(1, high)] } },
      series: [{}, { fill: colour("--chart-flow"), stroke: "transparent", width: 0, paths: bars, points: { show: false } }, { fill: colour("--bad-mark"), stroke: "transparent", width: 0, paths: bars, points: { show: false } }],
      axes: [{ ...axis, size: 24, gap: 4 }, { show: false }],
      hooks: { setSelect: [self => {
        if (self.select.width < 4) return;
        const from = self.posToVal(self.select.left, "x"), to = self.posToVal(self.select.left + self.select.width, "x");
        const first = Math.floor(from / step) * step, last = Math.ceil(to / step) * step;
        zoom(new Date(first * 1000), new Date(Math.max(last, first + step) * 1000));
      }] },
    }, [starts, all, bad], box);
    drawn?.setAttribute("hidden", "");
    box.dataset.drawn = "";
  };
  draw();
  const sized = new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: 108 }));
  sized.observe(box);
  window.addEventListener("theme", draw);
  window.addEventListener("zone", draw);
  return () => { sized.disconnect(); window.removeEventListener("theme", draw); window.removeEventListener("zone", draw); plot?.destroy(); };
}
