// Dead letters of one queue: read, replay, drop.

import { get, post } from "./api.js";
import { age, empty, h, notice, pairs, plural, pretty, setText, size, sync } from "./dom.js";

export function dead({ main, id: queue, signal }) {
  let messages = [];
  const chosen = new Set(); // keys
  const error = notice();
  const done = h("p", { class: "done", role: "status" });
  const list = h("ol", { class: "letters" });
  const none = empty(h("p", {}, "No messages here."),
    h("p", {}, "A request that made its service fail again and again ends up in this queue."));
  const all = h("input", { type: "checkbox", onchange: chooseAll });
  const replay = h("button", { type: "button", onclick: () => act("replay") }, "Replay");
  const drop = h("button", { type: "button", class: "danger", onclick: () => act("drop") }, "Drop");
  const refresh = h("button", { type: "button", onclick: load }, "Refresh");
  const toolbar = h("div", { class: "toolbar" }, h("label", {}, all, " all"), replay, drop, refresh);
  none.hidden = true;
  main.append(h("a", { class: "back", href: "#/queues" }, "← Queues"), h("h1", {}, queue), toolbar, error, done, list, none);

  function render() {
    sync(list, messages, (message) => message.key, makeMessage);
    none.hidden = messages.length > 0;
    const n = chosen.size;
    setText(replay, n > 0 ? `Replay ${n}` : "Replay");
    setText(drop, n > 0 ? `Drop ${n}` : "Drop");
    replay.disabled = drop.disabled = n === 0;
    all.disabled = messages.length === 0;
    all.checked = n > 0 && n === messages.length;
    all.indeterminate = n > 0 && n < messages.length;
  }

  async function load() {
    try {
      ({ messages } = await get("dead", { queue }, signal));
      const keys = new Set(messages.map((message) => message.key));
      chosen.forEach((key) => keys.has(key) || chosen.delete(key));
      error.show();
      render();
    } catch (e) {
      if (!signal.aborted) error.show(e.message);
    }
  }

  function chooseAll() {
    chosen.clear();
    if (all.checked) messages.forEach((message) => chosen.add(message.key));
    render();
  }

  async function act(verb) {
    const keys = [...chosen];
    const [label, consequence] = verb === "drop" ? ["Drop", "What is dropped is lost."]
      : ["Replay", "Each goes back to its queue, and its service handles it again."];
    if (!(await confirmed(`${label} ${plural(keys.length, "message")}? ${consequence}`, label))) return;
    replay.disabled = drop.disabled = true;
    setText(done, "");
    try {
      const result = await post(`dead/${verb}`, { queue, keys }, signal);
      setText(done, `${plural(result.done, "message")} ${verb === "drop" ? "dropped" : "replayed"}.`);
      chosen.clear();
      await load();
    } catch (e) {
      if (signal.aborted) return;
      await load();
      error.show(e.message);
    }
  }

  function makeMessage(key) {
    const box = h("input", { type: "checkbox", onchange: () => (box.checked ? chosen.add(key) : chosen.delete(key), render()) });
    const summary = h("summary", { class: "item" });
    const details = h("div");
    const element = h("li", {}, box, h("details", {}, summary, details));
    element.update = (m) => {
      box.checked = chosen.has(key);
      if (summary.firstChild) return; // a message does not change
      box.setAttribute("aria-label", `Choose ${m.id}`);
      summary.append(h("code", {}, m.id), " ", h("span", { class: "bad" }, m.reason || "unknown reason"), " ",
        h("small", { title: m.died ? new Date(m.died).toLocaleString("en-GB") : "" },
          [m.died && `${age(m.died)} ago`, m.from_queue && `from ${m.from_queue}`, size(m.size), m.content_type]
            .filter(Boolean).join(", ")));
      details.append(
        h("h2", {}, "Body"),
        m.size > 0 && m.body_is_text ? h("pre", { tabindex: 0 }, pretty(m.body))
          : h("p", { class: "hint" }, m.size > 0 ? `${size(m.size)} that are not text` : "empty"),
        m.truncated ? h("p", { class: "hint" }, "The body is longer than shown. Read all of it with: warren dead show") : "",
        pairs("Headers", m.headers) ?? "");
    };
    return element;
  }

  render();
  load();
}

// confirmed asks in a dialog. It returns whether the user agreed.
function confirmed(question, verb) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": verb, onclose: () => {
      resolve(dialog.returnValue === verb);
      dialog.remove();
    } }, h("form", { method: "dialog" }, h("p", {}, question), h("div", { class: "toolbar" },
      h("button", { value: "", autofocus: true }, "Cancel"),
      h("button", { value: verb, class: verb === "Drop" ? "danger" : "primary" }, verb))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
