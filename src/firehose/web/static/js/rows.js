// Rows of the stream, made from events as /v1/stream sends them. The twin of web/pages/rows.py and parts/rows.html:
// a browser test holds both together.
import { esc, icon, shell } from "./dom.js";
import { clock, utc } from "./times.js";

const MARKS = {
  success: ["ok", "o-ok", "success"], failure: ["bad", "o-bad", "failure"], error: ["warn", "o-warn", "error"],
  cancel: ["skip", "o-skip", "cancelled"], skipped: ["skip", "o-skip", "skipped"], running: ["run", "o-run", "running"],
  queued: ["queue", "o-queue", "queued"], "": ["none", "o-dot", "no outcome"],
};
export const sourceOf = topic => { const levels = (topic || "").split("/"); return decodeURIComponent(levels[levels[0] === "private" ? 2 : 1] || ""); };
export const familyOf = (source, kind) => shell.families[source] || shell.nouns[kind.split(".")[0]] || "hub";

/** What a row says of an event. */
export function view(event) {
  const outcome = event.outcome || "", source = sourceOf(event.topic), kind = event.kind, project = event.project || "";
  const [state, mark, word] = MARKS[outcome] || ["none", "o-unknown", outcome];
  const dot = kind.indexOf("."), slash = project.lastIndexOf("/");
  return {
    sequence: Number(event.sequence), time: new Date(event.time), state, mark, word, source, kind, project,
    family: familyOf(source, kind), noun: dot < 0 ? kind : kind.slice(0, dot), predicate: dot < 0 ? "" : kind.slice(dot + 1),
    group: project.slice(0, slash + 1), name: project.slice(slash + 1), actor: event.actor || "",
    summary: event.summary || `${kind} ${event.subject}`, subject: event.subject, refs: event.refs || "", link: event.link || "",
  };
}

const outcome = row => `<span class="oc" data-o="${row.state}" title="${esc(row.word)}">${icon(row.mark)}<span class="vh">${esc(row.word)}</span></span>`;
const family = row => `<span class="fam" data-f="${row.family}" title="${esc(row.source)}">${icon(row.family)}<span class="lbl">${esc(row.source)}</span></span>`;
const time = row => `<time class="t" datetime="${row.time.toISOString()}" title="${utc(row.time)}" data-as="clock">${clock(row.time)}</time>`;
const data = row => `data-seq="${row.sequence}" data-source="${esc(row.source)}" data-kind="${esc(row.kind)}" data-project="${esc(row.project)}" data-subject="${esc(row.subject)}" data-refs="${esc(row.refs)}" data-actor="${esc(row.actor)}"`;

function line(row, classes, summary) {
  return `<li class="ev${row.state === "bad" ? " bad" : ""}${classes}" tabindex="-1" ${data(row)}>${time(row)}${outcome(row)}${family(row)}<span class="kind" title="${esc(row.kind)}"><i>${esc(row.noun)}.</i>${esc(row.predicate)}</span><span class="proj" title="${esc(row.project)}"><i>${esc(row.group)}</i>${esc(row.name)}</span><span class="sum">${summary}</span><span class="who" title="${esc(row.actor)}">${esc(row.actor)}</span></li>`;
}
export const rowHtml = (row, classes = "") => line(row, classes, `<a href="/events/${row.sequence}" tabindex="-1">${esc(row.summary)}</a>`);

const MANY = { taskrun: "jobs", pipelinerun: "pipelines", environment: "nodes", change: "changes", ticket: "tickets", comment: "comments", artifact: "artifacts", service: "services" };
const MOST_MARKS = 40;

/** What an event belongs to beside itself; what tells its cause, and what people call it. Twins in pages/batches.py. */
const belongs = row => row.refs.split(" ").filter(ref => ref && ref !== row.subject);
export const causeOf = row => { const refs = belongs(row).slice(0, 2); return refs.length ? `${row.kind} ${refs.join(" ")}` : ""; };
const aboutOf = row => { const refs = belongs(row); return refs.find(ref => /[~#!]/.test(ref)) || refs[0]; };

/** Many events of one cause as one row: a strip with a mark for each, failures taller. */
export function batchHtml(rows, classes = "") {
  const newest = rows[0], failed = rows.filter(row => row.state === "bad").length, passed = rows.filter(row => row.state === "ok").length;
  const shown = rows.slice(0, MOST_MARKS).reverse(), width = shown.length * 8 - 2;
  const marks = shown.map((row, at) => {
    const state = { ok: "ok", bad: "bad", run: "run" }[row.state] || "none";
    return `<rect class="${state}" x="${at * 8}" y="${state === "bad" ? 0 : 1}" width="6" height="${state === "bad" ? 12 : 10}" rx="1"/>`;
  }).join("");
  const rest = new Map();
  for (const row of rows) if (row.state === "skip" || row.state === "warn") rest.set(row.word, (rest.get(row.word) || 0) + 1);
  const counts = [passed && `${passed} passed`, failed && `${failed} failed`, ...[...rest].map(([word, n]) => `${n} ${word}`)].filter(Boolean).join(", ");
  const cause = aboutOf(newest);
  const worst = failed ? rows.find(row => row.state === "bad") : newest;
  const head = { ...newest, state: worst.state, mark: worst.mark, word: worst.word };
  return line(head, ` batch${classes}`, `<svg class="strip" viewBox="0 0 ${width} 12" width="${width}" height="12" aria-hidden="true">${marks}</svg><button class="exp" type="button" aria-expanded="false" tabindex="-1"><b>${rows.length} ${MANY[newest.noun] || "events"}</b></button> <span class="dim">of ${esc(cause)}: ${counts || newest.predicate}</span>`);
}
