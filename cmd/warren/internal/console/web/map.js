// Map: which service calls which, over which queue.

import { get } from "./api.js";
import { colour, empty, h, headings, milliseconds, notice, number, percent, plural, poll, rate as perSecond, setText, sync } from "./dom.js";

const alarming = 0.05; // share of errors

export function map({ main, signal }) {
  const error = notice();
  const alarms = h("ul", { class: "alarms", role: "status" });
  const lines = h("svg", { "aria-hidden": "true" });
  const columns = h("div", { class: "columns" });
  const chart = h("div", { class: "map" }, lines, columns);
  const body = h("tbody");
  const calls = h("table", { class: "calls" }, headings("Queue", "Calls", "Errors", "p95", "Waiting", "Consumers"), body);
  const window = h("p", { class: "hint" });
  const none = empty(h("p", {}, "No calls yet: ", h("a", { href: "#/try" }, "try one"), "."));
  let edges = [];

  function render(data) {
    edges = data.edges;
    const covered = data.window_s < 120 ? plural(Math.round(data.window_s), "second") : plural(Math.round(data.window_s / 60), "minute");
    setText(window, `Rates, errors and p95 of the last ${covered}.`);
    sync(alarms, alarmsOf(data), (text) => text, (text) => Object.assign(h("li", {}, text), { update() {} }));
    sync(columns, layersOf(data), (layer) => layer.depth, makeLayer);
    sync(body, edges, (edge) => `${edge.from} ${edge.to} ${edge.queue}`, makeCall);
    none.hidden = edges.length > 0;
    calls.hidden = edges.length === 0;
    draw();
  }

  // draw connects the cards, which the style sheet places: columns side by side, or below each other in a narrow window.
  function draw() {
    const frame = chart.getBoundingClientRect();
    const boxes = new Map([...columns.querySelectorAll(".card")].map((card) => [card.key, card.getBoundingClientRect()]));
    const across = getComputedStyle(columns).flexDirection === "row";
    const pairs = new Map();
    for (const edge of edges) {
      const pair = pairs.get(`${edge.from} ${edge.to}`) ?? { from: edge.from, to: edge.to, rate: 0, bad: false };
      pair.rate += edge.rate;
      pair.bad ||= edge.error_share > alarming || edge.consumers === 0;
      pairs.set(`${edge.from} ${edge.to}`, pair);
    }
    lines.replaceChildren(...[...pairs.values()].filter((pair) => boxes.has(pair.from) && boxes.has(pair.to)).map((pair) => {
      const from = boxes.get(pair.from);
      const to = boxes.get(pair.to);
      const [x1, y1] = across ? [from.right, from.top + from.height / 2] : [from.left + from.width / 2, from.bottom];
      const [x2, y2] = across ? [to.left, to.top + to.height / 2] : [to.left + to.width / 2, to.top];
      const [bx, by] = across ? [(x2 - x1) / 2, 0] : [0, (y2 - y1) / 2];
      const point = (x, y) => `${(x - frame.left).toFixed(1)} ${(y - frame.top).toFixed(1)}`;
      return h("path", {
        class: pair.bad ? "bad" : "",
        d: `M${point(x1, y1)}C${point(x1 + bx, y1 + by)} ${point(x2 - bx, y2 - by)} ${point(x2, y2)}`,
        "stroke-width": (1.5 + Math.min(4, Math.log10(1 + pair.rate) * 1.5)).toFixed(1),
      });
    }));
  }

  main.append(h("h1", {}, "Map"), error, alarms, chart, none, calls, window);
  const observer = new ResizeObserver(draw);
  observer.observe(chart);
  signal.addEventListener("abort", () => observer.disconnect());
  poll(2000, signal, async () => {
    try {
      const data = await get("map", {}, signal);
      render(data);
      error.show(data.queues_error && `Depths and consumers of queues are unknown: ${data.queues_error}`);
    } catch (e) {
      if (!signal.aborted) error.show(e.message);
    }
  });
}

function alarmsOf({ services, edges }) {
  const deserted = (name) => {
    const queues = edges.filter((edge) => edge.to === name && edge.consumers === 0).map((edge) => edge.queue);
    return [...new Set(queues)].join(", ");
  };
  return services.filter((service) => service.up === false || deserted(service.name)).map(({ name, up }) => {
    const queues = deserted(name) && `no consumer: ${deserted(name)}. Calls wait there until their deadline.`;
    return up === false ? `${name} is down. ${queues && queues[0].toUpperCase() + queues.slice(1)}` : `${name} has ${queues}`;
  });
}

// layersOf puts each service one column after the first that calls it.
function layersOf({ services, edges }) {
  const called = new Set(edges.filter((edge) => edge.from !== edge.to).map((edge) => edge.to));
  const depths = new Map();
  let next = services.map((service) => service.name).filter((name) => !called.has(name) && edges.some((edge) => edge.from === name));
  for (let depth = 0; next.length > 0; depth++) {
    next.forEach((name) => depths.set(name, depth));
    next = [...new Set(edges.filter((edge) => next.includes(edge.from)).map((edge) => edge.to))].filter((name) => !depths.has(name));
  }
  const layers = new Map();
  for (const service of services) {
    const depth = depths.get(service.name) ?? (edges.length > 0 ? 1 : 0);
    if (!layers.has(depth)) layers.set(depth, { depth, services: [] });
    layers.get(depth).services.push(service);
  }
  return [...layers.values()].sort((a, b) => a.depth - b.depth);
}

function makeLayer() {
  const element = h("div", { class: "column" });
  element.update = (layer) => sync(element, layer.services, (service) => service.name, makeCard);
  return element;
}

function makeCard(name) {
  const state = h("span", { class: "state" });
  const rate = h("dd");
  const errors = h("dd");
  const p95 = h("dd");
  const card = h("a", { class: "card", href: `#/requests?service=${encodeURIComponent(name)}` },
    h("span", { class: "name" }, h("span", { class: `service ${colour(name)}` }, name), state),
    h("dl", {}, [["rate", rate], ["errors", errors], ["p95", p95]].map(([text, value]) => h("div", {}, h("dt", {}, text), value))));
  card.update = (service) => {
    const down = service.up === false;
    card.classList.toggle("down", down);
    setText(state, down ? "down" : service.up ? "up" : "");
    setText(rate, perSecond(service.rate));
    setText(errors, percent(service.rate > 0 ? service.error_share : null));
    errors.className = service.error_share > alarming ? "bad" : "";
    setText(p95, milliseconds(service.rate > 0 ? service.p95_ms : null));
  };
  return card;
}

function makeCall() {
  const cells = Array.from({ length: 6 }, (_, i) => h("td", { class: i > 0 ? "number" : "" }));
  const row = h("tr", {}, cells);
  const queue = h("span", { class: "queue-name" });
  const between = h("small");
  cells[0].append(queue, " ", between);
  row.update = (edge) => {
    setText(queue, edge.queue);
    setText(between, `${edge.from} → ${edge.to}`);
    const consumers = edge.consumers === 0 ? "none" : number(edge.consumers);
    const texts = [perSecond(edge.rate), percent(edge.error_share), milliseconds(edge.p95_ms), number(edge.messages), consumers];
    texts.forEach((text, i) => setText(cells[i + 1], text));
    cells[2].classList.toggle("bad", edge.error_share > alarming);
    cells[5].classList.toggle("bad", edge.consumers === 0);
  };
  return row;
}
