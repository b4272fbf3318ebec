// Try it: send a request through the gateway, see the response and its trace.

import { get, post } from "./api.js";
import { empty, h, milliseconds, notice, pairs, pretty, setText, sleep } from "./dom.js";
import { follow, waterfall } from "./trace.js";

const seen = new Set(); // IDs in responses, offered for parameters
const remembered = new Map(); // the values of fields, by route and name

export async function tryIt({ main, query, signal }) {
  const error = notice();
  const result = h("section", { class: "result", "aria-live": "polite" });
  const form = h("form", { class: "try", onsubmit: submit });
  main.append(h("h1", {}, "Try it"), error, h("div", { class: "halves" }, form, result));
  let routes, user;
  try {
    const [info, table] = await Promise.all([get("info", {}, signal), get("routes", {}, signal)]);
    if (!info.gateway) {
      return form.replaceWith(empty(h("p", {}, "No gateway is known. Start the console with its address:"),
        h("pre", {}, "warren console --gateway=http://127.0.0.1:8080")));
    }
    routes = table.routes;
    user = info.user;
  } catch (e) {
    if (!signal.aborted) error.show(e.message);
    return;
  }
  if (routes.length === 0) return form.replaceWith(empty(h("p", {}, "The gateway has no routes.")));

  const choose = h("select", { id: "route", onchange: fill }, routes.map((r, i) => h("option", { value: i }, `${r.method} ${r.path}`)));
  const fields = h("div", { class: "fields" });
  const send = h("button", { class: "primary" }, "Send");
  const about = h("p", { class: "hint" });
  form.append(label("Route", choose), about, fields, h("div", { class: "toolbar" }, send));
  const wanted = routes.findIndex((r) => `${r.method} ${r.path}` === query.get("route"));
  const listing = routes.findIndex((r) => r.method === "GET" && !r.public && r.params.length === 0);
  choose.value = [wanted, listing, 0].find((i) => i >= 0);
  fill();

  function fill() {
    const r = routes[choose.value];
    setText(about, `${r.queue}${r.public ? ", public" : ""}${r.scope ? `, needs the scope ${r.scope}` : ""}`);
    const ids = h("datalist", { id: "ids" }, [...seen].map((value) => h("option", { value })));
    const parameter = (name) => h("input", { required: true, list: "ids", name: `param:${name}`, autocomplete: "off" });
    const users = user && h("select", { name: "as" },
      h("option", { value: user }, `user ${user}`), h("option", { value: "" }, "no user, without a token"));
    fields.replaceChildren(ids,
      ...r.params.map((name) => field(r, name, parameter(name), lastId(name))),
      r.method === "GET" ? field(r, "Query", h("input", { name: "query", placeholder: "name=value&name=value", autocomplete: "off" }))
        : field(r, "Body", h("textarea", { name: "body", rows: 7, spellcheck: "false" }), pretty(r.example_body ?? "")),
      user ? field(r, "As", users, r.public ? "" : user) : "",
      field(r, "Headers", h("textarea", { name: "headers", rows: 2, spellcheck: "false", placeholder: "Name: value" })));
  }

  async function submit(event) {
    event.preventDefault();
    const r = routes[choose.value];
    const input = (name) => form.elements[name]?.value ?? "";
    const path = r.path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(input(`param:${name}`)));
    const headers = {};
    for (const line of input("headers").split("\n").filter((line) => line.includes(":"))) {
      headers[line.slice(0, line.indexOf(":")).trim()] = line.slice(line.indexOf(":") + 1).trim();
    }
    const body = input("body");
    if (body && !Object.keys(headers).some((name) => /^content-type$/i.test(name))) headers["Content-Type"] = "application/json";
    send.disabled = true;
    setText(send, "Sending");
    error.show();
    try {
      const target = path + (input("query") && "?" + input("query"));
      show(await post("try", { method: r.method, path: target, headers, body, as: input("as") }, signal));
    } catch (e) {
      if (!signal.aborted) error.show(e.message);
    }
    send.disabled = false;
    setText(send, "Send");
  }

  async function show(response) {
    (response.body.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi) ?? []).slice(0, 50).forEach((value) => seen.add(value));
    const grade = response.status >= 500 ? "bad" : response.status >= 400 ? "poor" : "good";
    const spans = h("div", {}, h("p", { class: "hint" }, "Waiting for the trace."));
    const link = h("p");
    result.replaceChildren(
      h("h2", {}, h("span", { class: `status ${grade}` }, response.status), ` in ${milliseconds(response.duration_ms)}`),
      h("pre", { tabindex: 0, "aria-label": "Response body" }, pretty(response.body) || "no body"),
      h("details", {}, h("summary", {}, "Headers"), pairs("Headers of the response", response.headers) ?? ""),
      h("h2", {}, "Trace"), link, spans);
    const id = await traceOf(response.correlation_id);
    if (!id) return setText(spans, "No trace has arrived. Are the services sending theirs to this console?");
    link.append(h("a", { href: `#/trace/${encodeURIComponent(id)}` }, "Open this trace"));
    follow(id, signal, (t) => spans.replaceChildren(waterfall(t)), (e) =>
      spans.replaceChildren(h("p", { class: "hint" }, e.status === 404 ? "The trace has not arrived yet." : e.message)));
  }

  // traceOf waits some seconds for the trace: spans are sent in batches.
  async function traceOf(correlation) {
    for (let tries = 0; correlation && tries < 20 && !signal.aborted; tries++) {
      try {
        return (await get(`correlation/${encodeURIComponent(correlation)}`, {}, signal)).trace_id;
      } catch {
        await sleep(500, signal);
      }
    }
    return null;
  }
}

const lastId = (name) => (/id$/i.test(name) ? [...seen].at(-1) : "") ?? "";

function label(text, input) {
  return h("label", {}, h("span", {}, text), input);
}

// field returns an input with the value that it had when the route was last shown, or else initial.
function field(r, text, input, initial = "") {
  const key = `${r.method} ${r.path} ${input.name}`;
  input.value = remembered.get(key) ?? initial;
  input.addEventListener("input", () => remembered.set(key, input.value));
  return label(text, input);
}
