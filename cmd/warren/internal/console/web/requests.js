// Requests: the live list of traces.

import { get, live } from "./api.js";
import { clock, colour, empty, h, milliseconds, notice, number, percent, plural, setStyle, setText, sync } from "./dom.js";

const limit = 200; // rows
const id = /^[0-9a-f]{32}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const services = new Set(); // all that were seen, for the filter
const history = []; // requests per second of the last minute

export function requests({ main, query, signal, previous }) {
  const shown = new Map(); // by trace ID
  const waiting = new Map(); // arrived while the list pauses
  const hold = { button: false, pointer: false, focus: false };
  let loads = 0;
  let loaded = false;
  let kept = 1; // the share of the traces

  const route = h("input", {
    class: "filter", type: "search", name: "route", placeholder: "Route, or an ID", "aria-label": "Route, trace ID or correlation ID",
  });
  const status = h("select", { name: "status", "aria-label": "Status" }, h("option", { value: "" }, "any status"),
    ["2xx", "3xx", "4xx", "5xx"].map((value) => h("option", {}, value)), h("option", { value: "error" }, "errors"));
  const service = h("select", { name: "service", "aria-label": "Service" });
  const slow = h("input", {
    type: "number", name: "min_ms", min: 0, step: "any", placeholder: "min ms", "aria-label": "Least duration in milliseconds",
  });
  const filters = [route, status, service, slow];
  const form = h("form", { class: "toolbar", role: "search", onsubmit: find, oninput: filter },
    filters, h("button", { hidden: true })); // with a button, Enter submits
  const pause = h("button", { type: "button", class: "pause", onclick: togglePause });
  const rate = h("p", { class: "rate" });
  const spark = h("polyline", { points: "" });
  const error = notice();
  const list = h("ol", { class: "requests" });
  const none = empty();
  const head = h("div", { class: "row head", "aria-hidden": "true" },
    ["Time", "Status", "Request", "Services", "Duration"].map((text) => h("span", {}, text)));

  const values = () => Object.fromEntries(filters.map((field) => [field.name, field.value.trim()]));
  const paused = () => (hold.button && "paused") || (hold.pointer && "paused: pointer on the list") || (hold.focus && "paused: row selected");

  function matches(r, { route, status, service, min_ms }) {
    const text = `${r.name} ${r.path}`.toLowerCase();
    return text.includes(route.toLowerCase()) && (!service || r.services.includes(service)) && r.duration_ms >= Number(min_ms) &&
      (!status || (status === "error" ? r.error : String(r.status)[0] === status[0]));
  }

  function arrive(batch) {
    const wanted = values();
    for (const r of batch) {
      remember(r.services);
      // A trace that is shown is updated at once: its row does not move.
      if (shown.has(r.trace_id)) shown.set(r.trace_id, r);
      else if (matches(r, wanted)) waiting.set(r.trace_id, r);
    }
    trim(waiting);
    render();
  }

  function render() {
    if (!loaded) return;
    if (!paused()) {
      waiting.forEach((r, key) => shown.set(key, r));
      waiting.clear();
    }
    const rows = trim(shown);
    sync(list, rows, (r) => r.trace_id, row);
    const items = [...list.querySelectorAll(".item")];
    const current = items.includes(document.activeElement) ? document.activeElement : items[0];
    items.forEach((item) => (item.tabIndex = item === current ? 0 : -1)); // one stop for Tab; arrows move inside
    none.hidden = rows.length > 0;
    head.hidden = rows.length === 0;
    setText(pause, hold.button ? "Resume" : "Pause");
    pause.setAttribute("aria-pressed", hold.button);
    const news = waiting.size > 0 ? `, ${waiting.size}${waiting.size === limit ? "+" : ""} new` : "";
    setText(rate, paused() ? paused() + news : `${number(history.at(-1) ?? 0)}/s${kept < 1 ? `, ${percent(kept)} kept` : ""}`);
    const highest = Math.max(1, ...history);
    const points = history.length < 5 ? [] : history; // fewer look like a dot
    spark.setAttribute("points", points.map((n, i) => `${i + 60 - history.length},${(15 - (14 * n) / highest).toFixed(1)}`).join(" "));
    options();
  }

  // options offers the services that were seen, and the chosen one.
  function options(value = service.value) {
    const names = ["", ...[...new Set([...services, value])].filter(Boolean).sort()];
    if (names.join() === [...service.options].map((option) => option.value).join()) return;
    service.replaceChildren(...names.map((name) => h("option", { value: name }, name || "any service")));
    service.value = value;
  }

  async function load() {
    const wanted = values();
    const current = ++loads;
    loaded = false; // what arrives meanwhile waits
    try {
      const { requests } = await get("requests", wanted, signal);
      if (current !== loads) return; // another load follows
      shown.clear();
      requests.forEach((r) => {
        shown.set(r.trace_id, r);
        remember(r.services);
      });
      loaded = true;
      error.show();
      none.replaceChildren(...nothing(wanted));
      render();
    } catch (e) {
      if (!signal.aborted) error.show(e.message);
    }
  }

  // filter keeps the filters in the address, so that they survive a visit to a trace.
  let address = location.hash;
  let timer;
  function filter() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (signal.aborted || location.hash !== address) return; // a trace is about to be shown
      const set = new URLSearchParams(Object.entries(values()).filter(([, value]) => value)).toString();
      window.history.replaceState(null, "", "#/requests" + (set && "?" + set));
      address = location.hash;
      waiting.clear();
      load();
    }, 150);
  }

  async function find(event) {
    event.preventDefault();
    const wanted = route.value.trim();
    if (!id.test(wanted)) return list.querySelector(".item")?.focus();
    try {
      const known = wanted.includes("-") ? await get(`correlation/${wanted}`, {}, signal) : { trace_id: wanted };
      location.hash = `#/trace/${encodeURIComponent(known.trace_id)}`;
    } catch (e) {
      if (!signal.aborted) error.show(e.message);
    }
  }

  function togglePause() {
    hold.button = !hold.button;
    render();
  }

  function holding(what, value) {
    return () => {
      hold[what] = value;
      render();
    };
  }

  list.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && holding("pointer", true)());
  list.addEventListener("pointerleave", holding("pointer", false));
  list.addEventListener("focusin", holding("focus", true));
  list.addEventListener("focusout", (event) => list.contains(event.relatedTarget) || holding("focus", false)());

  main.append(
    h("div", { class: "title" }, h("h1", {}, "Requests"), h("div", { class: "live-rate" },
      h("svg", { class: "spark", viewBox: "0 0 60 16", preserveAspectRatio: "none", "aria-hidden": "true" }, spark), rate, pause)),
    form, error, head, list, none);
  options(query.get("service") ?? "");
  for (const field of filters) field.value = query.get(field.name) ?? "";

  live.addEventListener("request", ({ detail }) => arrive(detail), { signal });
  live.addEventListener("stats", ({ detail }) => {
    history.push(detail.per_second);
    history.splice(0, history.length - 60);
    kept = detail.kept_share;
    render();
  }, { signal });
  live.addEventListener("state", ({ detail: open }) => open && !paused() && load(), { signal });
  load().then(() => {
    const [, view, trace] = previous.split("/");
    if (view === "trace") [...list.children].find((item) => item.key === trace)?.firstChild.focus();
  });
}

// trim keeps the newest rows and returns them, newest first.
function trim(traces) {
  const sorted = [...traces.values()].sort((a, b) => b.started - a.started);
  sorted.splice(limit).forEach((r) => traces.delete(r.trace_id));
  return sorted;
}

// remember bounds the names, which anyone who sends traces chooses.
function remember(names) {
  names.forEach((name) => services.size < limit && services.add(name));
}

function row(key) {
  const time = h("time");
  const status = h("span", { class: "status" });
  const method = h("b");
  const route = h("span");
  const path = h("small");
  const services = h("span", { class: "services" });
  const duration = h("span", { class: "duration" });
  const bar = h("i", { class: "bar" });
  const item = h("li", {}, h("a", { class: "row item", href: `#/trace/${encodeURIComponent(key)}` },
    time, status, h("span", { class: "what" }, method, " ", route, " ", path), services, h("span", { class: "took" }, duration, bar)));
  item.update = (r) => {
    setText(time, clock(r.started));
    const failed = r.status ? r.status >= 500 : r.error;
    setText(status, r.status || (r.error ? "error" : "–"));
    status.className = "status " + (failed ? "bad" : r.status >= 400 ? "poor" : "good");
    setText(method, r.method || "");
    setText(route, r.route || r.name);
    setText(path, r.path && r.path !== r.route ? r.path : "");
    if (services.textContent !== r.services.join("")) {
      services.replaceChildren(...r.services.map((name) => h("span", { class: `service ${colour(name)}` }, name)));
    }
    setText(duration, milliseconds(r.duration_ms));
    setStyle(bar, { width: `${Math.min(100, 20 * Math.log10(1 + r.duration_ms * 10))}%` }); // logarithmic: 10 s fill it
    item.firstChild.title = `${r.name}, ${plural(r.spans, "span")}`;
  };
  return item;
}

function nothing(filters) {
  if (id.test(filters.route)) return [h("p", {}, "Enter opens the trace with this ID.")];
  if (Object.values(filters).some(Boolean)) {
    const link = h("a", { href: "#/requests", onclick: clear }, "Clear the filters");
    return [h("p", {}, "No request matches these filters."), h("p", {}, link)];
  }
  return [
    h("p", {}, "No requests yet: ", h("a", { href: "#/try" }, "try one"), "."),
    h("p", {}, "A service in any language appears here if it sends its spans to this page's address:"),
    h("pre", {}, `OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`),
  ];
}

// clear makes the address new even if it has no filters: history.replaceState dispatched no event.
function clear(event) {
  event.preventDefault();
  window.history.replaceState(null, "", "#/requests");
  dispatchEvent(new HashChangeEvent("hashchange"));
}
