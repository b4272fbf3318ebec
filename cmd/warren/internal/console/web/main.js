// The page: routes of the address's fragment, keys, and the state of the connection.

import { get, live } from "./api.js";
import { dead } from "./dead.js";
import { empty, h, number, percent, setText } from "./dom.js";
import { map } from "./map.js";
import { queues } from "./queues.js";
import { requests } from "./requests.js";
import { trace } from "./trace.js";
import { tryIt } from "./try.js";

const views = { requests, trace, map, queues, dead, try: tryIt, unknown };
const main = document.getElementById("main");
let left = new AbortController();

// show shows the view of the address: #/requests?status=5xx, #/trace/ID …
function show(event) {
  const previous = event?.oldURL ? new URL(event.oldURL).hash : "";
  if (!/^#\/./.test(location.hash)) {
    history.replaceState(null, "", "#/requests");
  }
  left.abort();
  left = new AbortController();
  const [path, query] = location.hash.slice(2).split("?");
  const [name, id = ""] = path.split("/");
  const view = Object.hasOwn(views, name) ? name : "unknown";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view.split(" ").includes(view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  main.dataset.view = view;
  views[view]({ main, id: decode(id), query: new URLSearchParams(query), signal: left.signal, previous });
  const heading = main.querySelector("h1");
  document.title = `${heading.textContent} – Warren`;
  if (event && !main.contains(document.activeElement)) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function unknown({ main }) {
  main.append(h("h1", {}, "No such view"), empty(h("p", {}, `There is nothing at ${location.hash}.`),
    h("p", {}, h("a", { href: "#/requests" }, "All requests"))));
}

function decode(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (typing) typing.blur();
    else if (main.querySelector(".back")) main.querySelector(".back").click();
    else document.activeElement.blur();
  } else if (event.key === "/" && !typing && main.querySelector(".filter")) {
    event.preventDefault();
    main.querySelector(".filter").focus();
  } else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) && !typing) {
    move(event);
  }
}

// move moves the focus in the list of the view. In Requests, ArrowDown enters the list.
function move(event) {
  const items = [...main.querySelectorAll(".item")];
  const at = items.indexOf(document.activeElement);
  if (items.length === 0 || (at < 0 && (event.key !== "ArrowDown" || main.dataset.view !== "requests"))) return;
  event.preventDefault();
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  items[Math.min(Math.max(to, 0), items.length - 1)].focus();
}

live.addEventListener("state", ({ detail: open }) => {
  const status = document.getElementById("connection");
  status.className = open ? "live" : "lost";
  setText(status, open ? "live" : "reconnecting");
});

live.addEventListener("stats", ({ detail }) => {
  document.getElementById("connection").title =
    `${number(detail.traces)} traces, ${number(detail.spans)} spans, ${percent(detail.kept_share)} kept`;
});

get("info").then((info) => {
  const broker = { inmem: "in-memory broker", rabbitmq: "RabbitMQ" }[info.broker] ?? info.broker;
  setText(document.getElementById("info"), [info.version, broker, info.gateway].filter(Boolean).join(" · "));
}, (error) => setText(document.getElementById("info"), error.message));

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the view's
  main.focus();
});
addEventListener("hashchange", show);
addEventListener("keydown", onKey);
show();
