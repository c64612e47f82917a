// The flow: how journeys move between the moments, drawn and as a table.

import { h, s, show } from "./dom.js";
import { count } from "./format.js";
import { MOMENTS, layout } from "./flow_layout.js";
import { t } from "./words.js";
import { card, isUnread, waiting } from "./cards.js";

const NARROW = 640; // px
const MOST_DOTS = 8;
const MOVING_MS = 1100;
const FADING = 44; // px, of what comes and goes

const words = (band, upright) =>
  band.thick <= 8 || upright ? count(band.count)
    : band.way === "skip" ? t("straight_to", { n: count(band.count), moment: t(band.to) })
    : band.way === "return" ? t("back_to", { n: count(band.count), moment: t(band.to) })
    : count(band.count);

function gradient(id, moment, from, to, ends) {
  return s("linearGradient", { id, gradientUnits: "userSpaceOnUse", x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: moment },
    s("stop", { class: "stop", "stop-opacity": ends[0] }), s("stop", { class: "stop", offset: 1, "stop-opacity": ends[1] }));
}

function drawing(overview, width, chosen) {
  const upright = width <= NARROW;
  const flow = layout(overview.moves, { width, upright });
  const dim = (...moments) => (chosen && !moments.includes(chosen) ? "dimmed" : null);
  const bands = flow.bands.map((b) =>
    s("path", {
      "data-key": `l${b.key}`, id: `l${b.key}`, d: b.d, "stroke-width": b.thick.toFixed(1),
      class: [b.way === "return" ? "back" : b.from, dim(b.from, b.to)].filter(Boolean).join(" "),
    }, s("title", null, t("moves_of", { from: t(b.from), to: t(b.to), n: count(b.count) }))));
  const gone = flow.gone.map((g) => {
    const bar = flow.bars.find((b) => b.moment === g.moment);
    const from = { x: bar.x + (upright ? 0 : bar.width), y: bar.y + (upright ? bar.height : 0) };
    const to = upright ? { x: from.x, y: from.y + FADING } : { x: from.x + FADING, y: from.y };
    return [gradient(`gone-${g.moment}`, "left", from, to, [0.7, 0]),
      s("path", { d: g.d, "stroke-width": g.thick.toFixed(1), stroke: `url(#gone-${g.moment})`, fill: "none", class: dim(g.moment) },
        s("title", null, t("gave_up_in", { moment: t(g.moment), n: count(g.count) })))];
  });
  const come = flow.come.map((c) => [gradient(`come-${c.moment}`, c.moment, c.from, c.to, [0, 0.45]),
    s("path", { d: c.d, "stroke-width": c.thick.toFixed(1), stroke: `url(#come-${c.moment})`, fill: "none", class: dim(c.moment) },
      s("title", null, t("opened_at", { moment: t(c.moment), n: count(c.count) })))]);
  const bars = flow.bars.map((b) =>
    s("rect", { "data-action": "moment", "data-moment": b.moment, class: `moment ${b.moment}`, x: b.x.toFixed(1), y: b.y.toFixed(1), width: b.width.toFixed(1), height: b.height.toFixed(1), rx: 3 },
      s("title", null, t(b.moment))));
  const numbers = flow.bands.filter((b) => b.thick > (upright ? 2 : 0.7)).map((b) =>
    s("text", { x: b.label.x.toFixed(1), y: (b.label.y + 4).toFixed(1), "text-anchor": "middle", class: "halo" }, words(b, upright)));
  const fresh = upright ? [] : flow.come.map((c) => s("text", { x: c.label.x.toFixed(1), y: (c.label.y + 4).toFixed(1), "text-anchor": "end", class: "halo" }, count(c.count)));
  const names = flow.bars.map((b) =>
    s("text", { x: b.name.x.toFixed(1), y: b.name.y.toFixed(1), "text-anchor": "middle", class: `name halo ${b.moment}` }, t(b.moment),
      upright ? s("tspan", { class: "faint", "font-weight": 400 }, ` ${count(b.moment === "truth" ? overview.purchases.total : overview.people[b.moment].open)}`) : null));
  return s("svg", { viewBox: `0 0 ${width} ${flow.height.toFixed(0)}`, role: "img", "aria-label": t("flow_image") },
    s("g", { class: "links" }, come, gone, bands), s("g", { id: "dots", "data-own": true }), bars, fresh, numbers, names);
}

function feet(overview, chosen, counted) {
  const total = (kind, of) => overview.moves.filter((m) => m.kind === kind && of(m)).reduce((n, m) => n + m.count, 0);
  return h("div", { class: counted ? "feet" : "feet alone" }, MOMENTS.map((moment) => {
    const press = { type: "button", class: `foot ${moment}`, "data-action": "moment", "data-moment": moment, "aria-pressed": String(chosen === moment) };
    if (moment === "truth") {
      if (!counted) return h("button", press, h("b", null, "…"), ` ${t("purchases")}`, h("span", { class: "note waiting" }, t("unread")));
      return h("button", press, h("b", null, count(overview.purchases.total)), ` ${t("purchases")}`,
        h("span", { class: "note" }, t("refunded", { n: count(overview.purchases.refunded) })));
    }
    const here = overview.people[moment];
    return h("button", press, h("b", null, count(here.open)), ` ${t("in_now", { moment: t(moment) })}`,
      h("span", { class: "note" }, counted ? t("silent_gave_up", { silent: count(here.silent), left: count(total("abandoned", (m) => m.from === moment)) }) : t("of_them_silent", { n: count(here.silent) })));
  }));
}

function table(overview) {
  const cell = (from, to) => overview.moves
    .filter((m) => (m.from ?? null) === from && (m.to ?? null) === to && (from ? m.kind !== "refunded" && m.kind !== "partially_refunded" : m.kind === "opened"))
    .reduce((n, m) => n + m.count, 0);
  const columns = [...MOMENTS, null];
  return h("details", null, h("summary", { class: "note" }, t("as_table")), h("div", { class: "scroll" }, h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, `${t("from")} \\ ${t("to")}`), columns.map((m) => h("th", { scope: "col", class: "n" }, m ? t(m) : t("given_up"))))),
    h("tbody", null, [null, ...MOMENTS.slice(0, 4)].map((from) => h("tr", null, h("th", { scope: "row" }, from ? t(from) : t("outside")),
      columns.map((to) => h("td", { class: "n" }, from === to ? "" : count(cell(from, to))))))))));
}

export function showFlow(parent, overview, view) {
  const legend = h("span", { class: "legend" }, h("span", null, t("onwards")), h("span", { class: "back" }, t("back")), h("span", { class: "gone" }, t("given_up")));
  if (isUnread(overview, "moves", "purchases")) { // who is where is known sooner than who went where
    show(parent, card("where", t("where_note", { range: t(overview.range.name) }), "why_flow", overview), waiting(), feet(overview, view.moment, false));
    return;
  }
  show(parent, card("where", t("where_note", { range: t(overview.range.name) }), "why_flow", overview, legend),
    h("div", { class: "drawing" }, drawing(overview, view.widthOf(parent), view.moment)), feet(overview, view.moment, true), table(overview));
}

let moving = 0;

/** Sends a dot along the band of a move that has just been said. */
export function sendDot(step) {
  if (moving >= MOST_DOTS || step.op !== "assert" || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const path = document.getElementById(`l${MOMENTS.indexOf(step.from)}${MOMENTS.indexOf(step.to)}`);
  if (!path) return;
  const dot = s("circle", { r: 4, class: `dot ${step.kind === "returned" ? "back" : step.to}` });
  document.getElementById("dots").append(dot);
  moving += 1;
  const length = path.getTotalLength();
  const began = performance.now();
  const frame = (now) => {
    const part = Math.min(1, (now - began) / MOVING_MS);
    if (part === 1 || !dot.isConnected) {
      dot.remove();
      moving -= 1;
      return;
    }
    const eased = part < 0.5 ? 2 * part * part : 1 - 2 * (1 - part) * (1 - part);
    const place = path.getPointAtLength(length * eased);
    dot.setAttribute("cx", place.x);
    dot.setAttribute("cy", place.y);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
