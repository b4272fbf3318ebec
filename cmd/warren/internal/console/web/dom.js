// Building blocks of the views. Text from outside becomes text nodes only: nothing is parsed as HTML.

const svgTags = new Set(["svg", "path", "polyline", "text", "title"]);

// h creates an element. Properties: class, on… functions, style as an object, everything else as an attribute.
export function h(tag, properties, ...children) {
  const element = svgTags.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "style") setStyle(element, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

// setStyle sets properties through the CSSOM: the page's content security policy allows no style attributes.
export function setStyle(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
}

// setText changes a text only if it differs, so that a selection in it survives.
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

// sync makes the children of parent those of items, in their order. It keeps the elements of items that stay, so that
// focus and scroll position do. make returns an element for a key with a method update(item).
export function sync(parent, items, key, make) {
  const wanted = new Map(items.map((item) => [key(item), item]));
  const kept = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.key)) kept.set(child.key, child);
    else child.remove();
  }
  let next = parent.firstChild;
  for (const [k, item] of wanted) {
    const child = kept.get(k) ?? Object.assign(make(k), { key: k });
    child.update(item);
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
}

// poll calls f at once and then every interval while the page is visible, until signal is aborted. Calls never overlap.
export async function poll(interval, signal, f) {
  while (!signal.aborted) {
    if (!document.hidden) await f();
    await sleep(interval, signal);
  }
}

export function sleep(duration, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(end, duration);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end);
  });
}

// notice shows an error inline. It is empty and takes no place until show is called with a text.
export function notice() {
  const element = h("p", { class: "error", role: "alert", hidden: true });
  element.show = (text) => {
    setText(element, text ?? "");
    element.hidden = !text;
  };
  return element;
}

export const empty = (...children) => h("div", { class: "empty" }, ...children);

// colour returns the class of a service's colour, which follows from its name: it is the same on each page and after each start.
export function colour(service) {
  const hash = [...service].reduce((sum, c) => (Math.imul(sum, 31) + c.codePointAt(0)) | 0, 0);
  return "s" + ((hash >>> 3) % 8);
}

export function milliseconds(ms) {
  if (ms == null) return "–";
  if (ms >= 10_000) return (ms / 1000).toFixed(1) + " s";
  if (ms >= 1000) return (ms / 1000).toFixed(2) + " s";
  return ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0) + " ms";
}

export const number = (n) => (n == null ? "–" : n.toLocaleString("en", { maximumFractionDigits: n < 10 ? 1 : 0 }));
export const rate = (n) => (n > 0 && n < 0.1 ? "<0.1/s" : `${number(n)}/s`);
export const percent = (share) => (share == null ? "–" : (share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0) + " %");
export const plural = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;

export function clock(time) {
  const date = new Date(time);
  return date.toLocaleTimeString("en-GB") + "." + String(date.getMilliseconds()).padStart(3, "0");
}

export function age(time) {
  if (time == null) return "–";
  const seconds = Math.max(0, Math.round((Date.now() - time) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

export function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

// pretty indents text if it is JSON.
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// headings is the head of a table whose columns but the first have numbers.
export function headings(...texts) {
  return h("thead", {}, h("tr", {}, texts.map((text, i) => h("th", { scope: "col", class: i > 0 ? "number" : "" }, text))));
}

// pairs is a table of names and values. It returns null if there are none.
export function pairs(caption, values) {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return null;
  const cell = (value) => {
    if (Array.isArray(value)) return value.map(cell).join(", ");
    return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value);
  };
  return h("table", { class: "pairs" }, h("caption", {}, caption), h("tbody", {},
    entries.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, cell(value))))));
}
