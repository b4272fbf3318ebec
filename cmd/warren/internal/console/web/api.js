// The console's JSON API and its stream of events.

// get returns the response of GET /api/path. Parameters without a value are left out.
export function get(path, parameters = {}, signal) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value)).toString();
  return send(`api/${path}${query && "?" + query}`, { signal });
}

export function post(path, body, signal) {
  return send(`api/${path}`, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });
}

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw options.signal?.aborted ? error : new Error("The console does not respond. Is it still running?");
  }
  const body = await response.json().catch((error) => {
    if (options.signal?.aborted) throw error;
    return {};
  });
  if (response.ok) return body;
  throw Object.assign(new Error(body.error ?? `The console responded with status ${response.status}.`), { status: response.status });
}

// live dispatches "request" (a list of requests), "stats", and "state" (detail: whether the stream is open).
export const live = new EventTarget();

let source;
let retry;

// connect opens the stream, or closes it while the page is hidden: a browser opens few connections to one host.
function connect() {
  clearTimeout(retry);
  source?.close();
  if (document.hidden) return;
  source = new EventSource("api/events");
  source.onopen = () => dispatch("state", true);
  source.onerror = () => {
    dispatch("state", false);
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 3000);
  };
  for (const name of ["request", "stats"]) {
    source.addEventListener(name, (event) => dispatch(name, JSON.parse(event.data)));
  }
}

const dispatch = (name, detail) => live.dispatchEvent(new CustomEvent(name, { detail }));

document.addEventListener("visibilitychange", connect);
connect();
