// The page: what is chosen, what has come, and which part shows it.

import { h, show } from "./dom.js";
import { count, share, span, useLocale, whenOf } from "./format.js";
import { LANGUAGES, t, timed, useLanguage } from "./words.js";
import { listen, profile } from "./api.js";
import { showFigures } from "./figures.js";
import { sendDot, showFlow } from "./flow.js";
import { showCues, showHours, showParts, showPurchases, showRevenue, showStays } from "./charts.js";
import { showLatest, showSearching, showStory } from "./steps.js";

const RANGES = ["24h", "7d", "28d"];
const KEPT_MOVES = 40;
const $ = (id) => document.getElementById(id);

const asked = new URLSearchParams(location.search);
const kept = (name) => {
  try {
    return localStorage.getItem(`journeys.${name}`);
  } catch {
    return null; // a browser that keeps nothing
  }
};
const keep = (name, value) => {
  try {
    localStorage.setItem(`journeys.${name}`, value);
  } catch { /* the choice lasts as long as the page */ }
};

const view = {
  range: RANGES.includes(asked.get("range")) ? asked.get("range") : "24h",
  by: asked.get("by"),
  filter: Object.fromEntries([...asked].filter(([name]) => name.startsWith("where.")).map(([name, value]) => [name.slice(6), value])),
  moment: null,
  language: "en",
  overview: null,
  records: null, // that were read, before there are figures
  latest: [],
  connected: null,
  widthOf: (card) => Math.max(260, card.clientWidth - 32),
};
let stop = () => {};

function connect() {
  stop();
  view.connected = null;
  const where = Object.fromEntries(Object.entries(view.filter).map(([name, value]) => [`where.${name}`, value]));
  stop = listen({ range: view.range, by: view.by, ...where }, {
    overview(figures) {
      view.overview = figures;
      merge(figures.latest);
      draw();
    },
    loading({ records }) {
      view.records = records;
      drawState();
    },
    step(step) {
      merge([step]);
      sendDot(step);
      if (view.overview) showLatest($("latest"), view.overview, view);
    },
    state(connected) {
      view.connected = connected;
      drawState();
    },
  });
  const query = new URLSearchParams({ range: view.range, ...(view.by ? { by: view.by } : {}), ...where });
  history.replaceState(null, "", `?${query}`);
}

/** New moves to the front; a move that is taken back is marked where it stands. */
function merge(steps) {
  const byId = new Map(view.latest.map((x) => [x.id, x]));
  for (const step of steps) {
    if (step.op === "retract") {
      const old = byId.get(step.id);
      if (old) byId.set(step.id, { ...old, taken_back: true });
    } else byId.set(step.id, step);
  }
  view.latest = [...byId.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, KEPT_MOVES);
}

function status() {
  const o = view.overview;
  const time = o?.as_of ? whenOf(o.as_of, o.zone) : "";
  if (view.connected === false) return { name: "broken", label: t("broken"), say: o ? timed("say_broken", { time }) : t("broken") };
  if (!o) {
    const records = count(view.records);
    if (view.records !== null) return { name: "loading", label: t("loading", { records }), say: t("say_loading", { records }) };
    return { name: "connecting", label: t("connecting") };
  }
  const values = { time, span: span(o.behind_s) };
  return { name: o.state, label: timed(o.state, values), say: o.state === "live" ? null : timed(`say_${o.state}`, values) };
}

function header() {
  const press = (name, value, chosen, label = value) => h("button", { type: "button", "data-action": name, "data-value": value, "aria-pressed": String(chosen) }, label);
  const chips = Object.entries(view.filter).map(([name, value]) => h("button", { type: "button", class: "chip", "data-action": "unfilter", "data-dimension": name, "aria-label": t("remove", { name: `${name}: ${value}` }) }, `${name}: ${value} ×`));
  const state = status();
  return h("div", { class: "bar" }, h("h1", null, t("title")), h("span", { class: `live ${state.name}` }, state.label), h("span", { class: "grow" }), chips,
    h("span", { class: "choice", role: "group", "aria-label": t("range") }, RANGES.map((r) => press("range", r, view.range === r, t(r)))),
    h("input", { class: "search", type: "search", id: "search", placeholder: t("find"), "aria-label": t("find"), autocomplete: "off", spellcheck: "false" }),
    h("select", { class: "pick", "data-action": "language", "aria-label": t("language") }, Object.keys(LANGUAGES).map((l) => h("option", { value: l, selected: l === view.language }, l.toUpperCase()))),
    h("span", { class: "choice" }, h("button", { type: "button", "data-action": "theme", "aria-label": t("theme"), title: t("theme") }, "◐")));
}

function drawState() {
  show($("header"), header());
  const state = status();
  const notice = (name, ...more) => h("div", { class: `notice ${name}` }, ...more);
  const reading = view.connected === false ? null : view.overview?.reading;
  show($("notice"),
    state.say ? notice(state.name, state.say, state.name === "loading" ? h("progress", { "aria-label": state.label }) : null) : null,
    reading ? notice("loading", t("say_reading", { records: count(reading.records), share: share(reading.share, 1) }), h("progress", { "aria-label": t("reading"), value: reading.share })) : null);
}

function draw() {
  drawState();
  const o = view.overview;
  if (!o) return;
  showFigures($("figures"), o);
  showFlow($("flow"), o, view);
  showPurchases($("purchases"), o, view);
  showRevenue($("revenue"), o);
  showParts($("parts"), o, view);
  showHours($("hours"), o, view);
  showLatest($("latest"), o, view);
  showStays($("stays"), o, view);
  showCues($("cues"), o);
}

async function story(name) {
  const dialog = $("story");
  showSearching(dialog, name);
  if (!dialog.open) dialog.showModal();
  const { found, status: answer } = await profile(name);
  if (dialog.open && dialog.dataset.name === name) showStory(dialog, name, found, answer, view.overview?.zone ?? "UTC");
}

function speak(language) {
  view.language = useLanguage(language);
  useLocale(view.language);
  document.documentElement.lang = view.language;
  document.title = t("live_page");
  document.querySelector(".skip").textContent = t("skip_to_page");
}

function paint(theme) {
  document.documentElement.dataset.theme = theme;
}

const actions = {
  range(el) {
    view.range = el.dataset.value;
    connect();
  },
  filter(el) {
    const { dimension, value } = el.dataset;
    if (view.filter[dimension] === value) delete view.filter[dimension];
    else view.filter[dimension] = value;
    connect();
  },
  unfilter(el) {
    delete view.filter[el.dataset.dimension];
    connect();
  },
  moment(el) {
    view.moment = view.moment === el.dataset.moment ? null : el.dataset.moment;
  },
  theme() {
    const dark = document.documentElement.dataset.theme === "dark";
    paint(dark ? "light" : "dark");
    keep("theme", dark ? "light" : "dark");
  },
  story: (el) => void story(el.dataset.profile),
  "close-story": () => $("story").close(),
};

document.addEventListener("click", (e) => {
  const el = e.target.closest("[data-action]");
  if (!el || el.tagName === "SELECT" || !(el.dataset.action in actions)) return;
  actions[el.dataset.action](el);
  draw();
});
document.addEventListener("change", (e) => {
  if (e.target.dataset?.action === "language") {
    speak(e.target.value);
    keep("language", e.target.value);
    draw();
  }
  if (e.target.dataset?.action === "by") {
    view.by = e.target.value;
    connect();
  }
});
document.addEventListener("keydown", (e) => {
  if (e.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    e.preventDefault();
    $("search").focus();
  }
  if (e.key === "Enter" && e.target.id === "search" && e.target.value.trim()) {
    e.preventDefault(); // the story's own button would get the rest of the key
    void story(e.target.value.trim());
  }
});
// A page that nobody sees needs no connection; a browser has six for all pages of one address.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : connect()));
$("story").addEventListener("click", (e) => {
  if (e.target === $("story")) $("story").close(); // beside it
});
let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(draw);
});

speak(asked.get("lang") ?? kept("language") ?? navigator.language);
paint(asked.get("theme") ?? kept("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
drawState();
connect();
