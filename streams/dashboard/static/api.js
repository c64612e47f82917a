// What the page asks of the server. Everything is asked of the page's own origin, relative to its address.

const address = (path, query) => {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query ?? {})) if (value !== null && value !== undefined) url.searchParams.set(name, value);
  return url;
};

/** The story of a person: {found, status}. The id goes in the body, so no log of addresses keeps it. */
export async function profile(name) {
  try {
    const answer = await fetch(address("api/profiles"), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key: name }) });
    return { found: answer.ok ? await answer.json() : null, status: answer.status };
  } catch {
    return { found: null, status: 0 };
  }
}

/**
 * Listens to what is new. `on.overview(figures)` comes at once and after every change, `on.step(step)` for each
 * move, `on.loading` before there are figures; `on.state(isConnected)` tells of the connection, which comes back by itself. Returns what ends it.
 */
export function listen(query, on) {
  const source = new EventSource(address("api/stream", query));
  source.addEventListener("overview", (e) => on.overview(JSON.parse(e.data)));
  source.addEventListener("loading", (e) => on.loading(JSON.parse(e.data)));
  source.addEventListener("steps", (e) => JSON.parse(e.data).forEach(on.step));
  source.addEventListener("open", () => on.state(true));
  source.addEventListener("error", () => on.state(false));
  return () => source.close();
}
