// One trace: its waterfall, attributes, events and log lines.

import { get, live } from "./api.js";
import { clock, colour, empty, h, milliseconds, notice, pairs, plural, sleep } from "./dom.js";

const limit = 500; // spans with a row
const opened = new Set(); // IDs of spans whose details are shown

let list = "#/requests"; // with the filters that were set last

export function trace({ main, id, signal, previous }) {
  if (/^#\/requests/.test(previous)) list = previous;
  const error = notice();
  const title = h("h1", {}, "Trace");
  const facts = h("p", { class: "facts" });
  const body = h("div");
  main.append(h("a", { class: "back", href: list }, "← Requests"), title, facts, error, body);

  function render(t) {
    title.replaceChildren(root(t).name);
    document.title = `${root(t).name} – Warren`;
    const services = [...new Set(t.spans.map((span) => span.service))];
    facts.replaceChildren(
      h("span", {}, h("b", {}, milliseconds(t.duration_ms))),
      h("span", {}, `at ${clock(t.started)}`),
      h("span", {}, plural(t.spans.length, "span")),
      h("span", { class: "services" }, services.map((name) => h("span", { class: `service ${colour(name)}` }, name))),
      h("span", { class: "id" }, "trace ", h("code", {}, id)),
      conversation(t) && h("span", { class: "id" }, "correlation ", h("code", {}, conversation(t))));
    body.replaceChildren(waterfall(t), logs(t));
  }

  follow(id, signal, render, (e) => {
    error.show(e.status === 404 ? "" : e.message);
    if (e.status === 404) {
      body.replaceChildren(empty(
        h("p", {}, "This trace is not here: the console keeps the newest traces only, or its spans have not arrived."),
        h("p", {}, h("a", { href: list }, "All requests"))));
    }
  });
}

// follow calls render with the trace, and again when more of its spans have arrived. It waits some seconds for the first.
export async function follow(id, signal, render, fail) {
  let known = -1;
  async function load() {
    const t = await get(`traces/${encodeURIComponent(id)}`, {}, signal);
    if (t.spans.length + t.logs.length === known) return;
    known = t.spans.length + t.logs.length;
    const focused = document.activeElement.id;
    render(t);
    if (focused) document.getElementById(focused)?.focus();
  }
  live.addEventListener("request", ({ detail }) => {
    if (detail.some((r) => r.trace_id === id)) load().catch(() => {}); // shown already, or reported below
  }, { signal });
  let error;
  for (let tries = 0; tries < 12 && !signal.aborted; tries++) {
    try {
      await load();
      error = undefined;
    } catch (e) {
      error = e;
      if (tries === 1 && known < 0 && !signal.aborted) fail(e);
    }
    await sleep(500, signal); // spans of other processes arrive later
  }
  if (error && known < 0 && !signal.aborted) fail(error);
}

const root = (t) => t.spans.find((span) => !span.parent_id) ?? t.spans[0];
const conversation = (t) => t.spans.map((span) => span.attributes["messaging.message.conversation_id"]).find(Boolean);

// waterfall draws a row for each span. A span's time in a queue, before the span began, is hatched.
export function waterfall(t) {
  const depths = new Map();
  const spans = t.spans.slice(0, limit);
  const first = Math.min(0, ...spans.map((span) => span.offset_ms - (span.queue_ms ?? 0)));
  const total = Math.max(t.duration_ms, ...spans.map((span) => span.offset_ms + span.duration_ms)) - first || 1;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    h("span", { style: { left: `${share * 100}%` } }, share === 0 ? "0" : milliseconds(total * share)));
  return h("section", { class: "waterfall", "aria-label": "Waterfall" },
    h("div", { class: "axis", "aria-hidden": "true" }, h("div", {}, ticks)),
    h("ol", {}, spans.map((span) => {
      depths.set(span.span_id, depths.has(span.parent_id) ? depths.get(span.parent_id) + 1 : 0);
      return spanRow(span, depths.get(span.span_id), (ms) => `${(100 * ms) / total}%`, first);
    })),
    t.spans.length > limit && h("p", { class: "hint" }, `${plural(t.spans.length - limit, "more span")} not shown.`),
    spans.some((span) => span.queue_ms > 0) && h("p", { class: "legend" },
      h("i", { class: "queue" }), " waiting in a queue ", h("i", { class: "work s0" }), " at work"));
}

function spanRow(span, depth, share, first) {
  const queue = span.queue_ms ?? 0;
  const status = Number(span.attributes["http.response.status_code"] ?? span.attributes["rpc.response.status_code"]);
  const refused = status >= 400 && status < 500; // for the caller's fault: nothing has failed
  const failed = span.status === "error" && !refused;
  const details = h("div", { class: "details", hidden: true });
  function toggle() {
    if (opened.has(span.span_id)) opened.delete(span.span_id);
    else opened.add(span.span_id);
    update();
  }
  function update() {
    details.hidden = !opened.has(span.span_id);
    details.replaceChildren(...(details.hidden ? [] : spanDetails(span)));
    button.setAttribute("aria-expanded", !details.hidden);
  }
  const work = `work ${colour(span.service)}${failed ? " failed" : ""}`;
  const button = h("button", { class: "span item", id: `span-${span.span_id}`, type: "button", onclick: toggle },
    h("span", { class: "label", style: { "padding-left": `${Math.min(depth, 8) * 0.9}rem` } },
      h("span", { class: `service ${colour(span.service)}` }, span.service), " ",
      h("span", { class: "name" }, span.name), span.kind && h("small", {}, " ", span.kind),
      (failed || refused) && h("span", { class: `status ${failed ? "bad" : "poor"}` }, ` ${status >= 400 ? status : "error"}`)),
    h("span", { class: "took", style: { "--left": share(span.offset_ms - queue - first), "--room": queue > 0 ? "12rem" : "5rem" } },
      queue > 0 && h("small", {}, `${milliseconds(queue)} in queue + `), milliseconds(span.duration_ms)),
    h("span", { class: "track", "aria-hidden": "true" },
      queue > 0 && h("i", { class: "queue", style: { left: share(span.offset_ms - queue - first), width: share(queue) } }),
      h("i", { class: work, style: { left: share(span.offset_ms - first), width: share(span.duration_ms) } }),
      span.events.map((event) => h("i", { class: "event", style: { left: share(event.offset_ms - first) } }))));
  update();
  return h("li", {}, button, details);
}

const groups = [
  [/^(http|url|server|client|network|user_agent)\./, "HTTP"],
  [/^rpc\./, "Call"],
  [/^(messaging|amqp)\./, "Message, as it was on the wire"],
  [/^db\./, "Database"],
  [/^/, "More"],
];

function spanDetails(span) {
  const grouped = new Map(groups.map(([, caption]) => [caption, {}]));
  for (const [name, value] of Object.entries(span.attributes)) {
    grouped.get(groups.find(([pattern]) => pattern.test(name))[1])[name] = value;
  }
  return [
    span.message && h("p", { class: "error" }, span.message),
    h("div", { class: "groups" }, [...grouped].map(([caption, values]) => pairs(caption, values)).filter(Boolean),
      span.events.map((event) => pairs(`Event ${event.name}, at ${milliseconds(event.offset_ms)}`, event.attributes) ??
        h("p", {}, `Event ${event.name}, at ${milliseconds(event.offset_ms)}`))),
    h("p", { class: "hint" }, `${span.kind || "internal"} span `, h("code", {}, span.span_id)),
  ].filter(Boolean);
}

function logs(t) {
  if (t.logs.length === 0) {
    return h("p", { class: "hint" },
      "No log lines of this trace. The console has them when the demo runs the services; LOG_LEVEL=debug logs more.");
  }
  const told = ["trace_id", "span_id", "correlation_id"]; // above
  const attributes = (line) => Object.entries(line.attributes ?? {}).filter(([name]) => !told.includes(name));
  const text = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : value);
  return h("section", {}, h("h2", {}, "Logs"), h("table", { class: "logs" },
    h("thead", {}, h("tr", {}, ["Time", "Service", "Level", "Message"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, t.logs.map((line) => h("tr", {},
      h("td", { class: "time", title: clock(line.time) }, "+" + milliseconds(Math.max(0, line.time - t.started))),
      h("td", {}, h("span", { class: `service ${colour(line.service)}` }, line.service)),
      h("td", { class: `level ${String(line.level).toLowerCase()}` }, line.level),
      h("td", {}, line.message, attributes(line).map(([name, value]) => [" ", h("small", {}, `${name}=${text(value)}`)]).flat()))))));
}
