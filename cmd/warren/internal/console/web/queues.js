// Queues: depth, consumers and oldest dead-lettered message.

import { get } from "./api.js";
import { age, empty, h, headings, notice, number, plural, poll, setText, sync } from "./dom.js";

export function queues({ main, signal }) {
  const error = notice();
  const letters = table("Dead letters", ["Queue", "Messages", "Oldest"],
    (queue) => [number(queue.messages), age(queue.oldest)]);
  const consumed = (title) => table(title, ["Queue", "Waiting", "Consumers"],
    (queue) => [number(queue.messages), queue.consumers === 0 ? "none" : number(queue.consumers)]);
  const services = consumed("Methods");
  const replies = consumed("Replies");
  const summary = h("p", { class: "hint", role: "status" });
  const none = empty(h("p", {}, "No queues yet. They appear when a service declares them, or when the gateway calls it."));
  none.hidden = true;
  main.append(h("h1", {}, "Queues"), error, summary, letters.element, services.element, replies.element, none);
  poll(3000, signal, async () => {
    try {
      const { queues } = await get("queues", {}, signal);
      const dead = queues.filter((queue) => queue.dead);
      const messages = dead.reduce((sum, queue) => sum + queue.messages, 0);
      setText(summary, messages > 0 ? `${plural(messages, "dead-lettered message")}: open the queue to read, replay or drop.`
        : dead.length > 0 ? `No dead-lettered messages in ${plural(dead.length, "queue")}.` : "No dead-lettered messages.");
      letters.show(dead.filter((queue) => queue.messages > 0).sort((a, b) => b.messages - a.messages));
      const live = queues.filter((queue) => !queue.dead).sort((a, b) => (b.consumers === 0) - (a.consumers === 0));
      services.show(live.filter((queue) => !isReplies(queue)));
      replies.show(live.filter(isReplies));
      none.hidden = queues.length > 0;
      error.show();
    } catch (e) {
      if (!signal.aborted) error.show(e.message);
    }
  });
}

// isReplies reports whether a gateway gets its replies from the queue.
const isReplies = (queue) => queue.name.endsWith(".rpc.response");

function table(title, columns, texts) {
  const body = h("tbody");
  const element = h("section", { hidden: true }, h("h2", {}, title), h("table", { class: "queues" }, headings(...columns), body));
  function makeRow() {
    const name = h("td");
    const cells = columns.slice(1).map(() => h("td", { class: "number" }));
    const row = h("tr", {}, name, cells);
    row.update = (queue) => {
      if (!name.firstChild) {
        const link = queue.dead && h("a", { class: "item", href: `#/dead/${encodeURIComponent(queue.name)}` }, queue.name);
        name.append(link || queue.name, h("small", { class: "bad" }));
      }
      setText(name.lastChild, queue.error ? ` ${queue.error}` : "");
      texts(queue).forEach((text, i) => setText(cells[i], text));
      row.classList.toggle("alarm", queue.dead ? queue.messages > 0 : queue.consumers === 0);
    };
    return row;
  }
  return {
    element,
    show(queues) {
      element.hidden = queues.length === 0;
      sync(body, queues, (queue) => queue.name, makeRow);
    },
  };
}
