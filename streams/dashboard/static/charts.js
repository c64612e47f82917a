// Purchases against the usual, the heat map of the week, how long people stay, how far journeys come.

import { h, s, show } from "./dom.js";
import { count, dayOf, hourOf, money, share, span, weekdays } from "./format.js";
import { MOMENTS } from "./flow_layout.js";
import { t } from "./words.js";
import { card, isUnread, waiting } from "./cards.js";

const STEPS = { 3600: "hour", 21600: "hours6", 86400: "day" };
const BAND_ROOM = 1.7; // what is usual may go beyond the drawing: of small counts it would take all of it
const MANY = 5; // purchases, or as many expected: fewer are not called unusual

const niceStep = (greatest) => {
  const rough = greatest / 5;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? 1;
};

export function showPurchases(parent, overview, view) {
  if (isUnread(overview, "purchases")) return show(parent, card("purchases_title", null, "why_purchase_line", overview), waiting());
  const width = view.widthOf(parent);
  const height = 236;
  const [left, right, bottom, top] = [38, 8, 22, 8];
  const { points, step_s: step } = overview.purchases;
  const unit = t(STEPS[step]);
  const greatest = Math.max(4, ...points.map((p) => Math.max(p.count, p.usual ?? 0)));
  const most = Math.min(greatest * BAND_ROOM, Math.max(greatest, ...points.map((p) => p.high ?? 0))) * 1.08;
  const x = (i) => left + ((width - left - right) * i) / Math.max(1, points.length - 1);
  const y = (v) => height - bottom - ((height - bottom - top) * v) / most;
  const at = (i, v) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
  const zone = overview.zone;
  const when = (p) => (step < 86400 ? `${dayOf(p.at, zone)} ${hourOf(p.at, zone)}` : dayOf(p.at, zone));
  const drawn = [];
  const by = niceStep(most);
  for (let v = 0; v < most; v += by) {
    drawn.push(s("path", { d: `M${left} ${y(v)}H${width - right}`, class: "grid" }), s("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end", class: "faint" }, count(v)));
  }
  const known = points.map((p, i) => [i, p]).filter(([, p]) => p.usual !== null);
  if (known.length > 1) {
    const high = known.map(([i, p]) => at(i, Math.min(p.high, most)));
    const low = known.map(([i, p]) => at(i, p.low)).reverse();
    drawn.push(s("path", { d: `M${high.join("L")}L${low.join("L")}Z`, class: "usual" }), s("path", { d: `M${known.map(([i, p]) => at(i, p.usual)).join("L")}`, class: "expected" }));
  }
  const whole = points.filter((p) => p.over).length;
  if (whole > 1) drawn.push(s("path", { d: `M${points.slice(0, whole).map((p, i) => at(i, p.count)).join("L")}`, class: "line" }));
  if (whole > 0 && whole < points.length) {
    drawn.push(s("path", { d: `M${points.slice(whole - 1).map((p, i) => at(whole - 1 + i, p.count)).join("L")}`, class: "line running" }));
  }
  points.slice(0, whole).forEach((p, i) => {
    if (p.usual === null || Math.max(p.usual, p.count) < MANY || (p.count >= p.low && p.count <= p.high)) return;
    drawn.push(s("circle", { cx: x(i), cy: y(p.count), r: 4, class: p.count < p.low ? "ring low" : "ring" }));
  });
  const every = Math.ceil(points.length / (width < 500 ? 4 : 8));
  points.forEach((p, i) => {
    const half = (width - left - right) / Math.max(1, points.length - 1) / 2;
    const said = p.usual === null ? t("point_new", { at: when(p), n: count(p.count) }) : t("point", { at: when(p), n: count(p.count), usual: count(p.usual) });
    drawn.push(s("rect", { x: x(i) - half, y: top, width: 2 * half, height: height - top - bottom, class: "hit" }, s("title", null, said)));
    if (i % every === 0) drawn.push(s("text", { x: x(i), y: height - 5, "text-anchor": i + 1 === points.length ? "end" : "middle", class: "faint" }, step < 21600 ? hourOf(p.at, zone) : dayOf(p.at, zone)));
  });
  const note = isUnread(overview, "usual") ? "unread_weeks" : "purchases_note";
  return show(parent, card("purchases_title", t(note, { step: unit }), "why_purchase_line", overview),
    h("div", { class: "drawing" }, s("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": t("line_image", { step: unit }) }, drawn)));
}

export function showHours(parent, overview, view) {
  if (isUnread(overview, "hours")) return show(parent, card("when_buy", t("when_note"), "why_hours", overview), waiting());
  const width = view.widthOf(parent);
  const hours = overview.hours;
  const most = Math.max(1, ...hours);
  const left = 36;
  const wide = (width - left) / 24;
  const high = Math.min(24, wide * 0.95);
  const days = weekdays();
  const cells = days.map((day, d) => [
    s("text", { x: 0, y: 16 + d * (high + 2) + high * 0.7, class: "faint" }, day),
    [...Array(24).keys()].map((hour) => {
      const n = hours[d * 24 + hour];
      const shade = n ? 0.14 + 0.82 * Math.sqrt(n / most) : 0.06;
      return s("rect", { x: (left + hour * wide).toFixed(1), y: (14 + d * (high + 2)).toFixed(1), width: (wide - 2).toFixed(1), height: high.toFixed(1), rx: 3, class: "heat", "fill-opacity": shade.toFixed(2) },
        s("title", null, t("heat_cell", { day, hour, n: count(n) })));
    }),
  ]);
  const marks = [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => s("text", { x: left + hour * wide + wide / 2 - 1, y: 9, "text-anchor": "middle", class: "faint" }, hour));
  return show(parent, card("when_buy", t("when_note"), "why_hours", overview),
    h("div", { class: "drawing" }, s("svg", { viewBox: `0 0 ${width} ${(18 + 7 * (high + 2)).toFixed(0)}`, role: "img", "aria-label": t("heat_image", { n: count(most) }) }, cells, marks)));
}

// How wide texts are that stand side by side, each in the middle of its place: half of each, and room between.
const wide = (...texts) => (3.4 * texts.join("").length + 4) * (texts.length === 1 ? 2 : 1);
const SHORTEST_S = 5;
const LONGEST_S = 30 * 86400;

export function showStays(parent, overview, view) {
  if (isUnread(overview, "dwell")) return show(parent, card("stays", t("stays_note"), "why_stays", overview), waiting());
  const width = view.widthOf(parent);
  const [left, right] = [86, 14];
  const low = Math.log(SHORTEST_S);
  const x = (seconds) => left + ((width - left - right) * (Math.log(Math.min(LONGEST_S, Math.max(SHORTEST_S, seconds))) - low)) / (Math.log(LONGEST_S) - low);
  const labels = [60, 3600, 604800, 86400].filter((seconds, i, all) => all.slice(0, i).every((other) => Math.abs(x(other) - x(seconds)) > wide(span(seconds), span(other))));
  const marks = [60, 3600, 86400, 604800].map((seconds) => [
    s("path", { d: `M${x(seconds)} 16V166`, class: "grid" }), labels.includes(seconds) ? s("text", { x: x(seconds), y: 10, "text-anchor": "middle", class: "faint" }, span(seconds)) : null,
  ]);
  const rows = MOMENTS.slice(0, 4).map((moment, i) => {
    const stay = overview.dwell[moment];
    const y = 42 + i * 36;
    const name = s("text", { x: 0, y: y + 4, class: "halo" }, t(moment));
    if (!stay) return [name, s("text", { x: left, y: y + 4, class: "faint" }, "–")];
    const [half, nine] = [span(stay.p50_s), span(stay.p90_s)];
    const nineAt = Math.min(Math.max(x(stay.p90_s), x(stay.p50_s) + wide(half, nine) / 2), width - wide(nine) / 2);
    const halfAt = Math.min(x(stay.p50_s), nineAt - wide(half, nine)); // beside the other number, not over it
    return [name,
      s("path", { d: `M${x(stay.p50_s)} ${y}H${x(stay.p90_s) + 0.01}`, class: `stay ${moment}` }), s("circle", { cx: x(stay.p50_s), cy: y, r: 6, class: `half ${moment}` }),
      s("text", { x: halfAt, y: y - 10, "text-anchor": "middle" }, half),
      s("text", { x: nineAt, y: y - 10, "text-anchor": "middle", class: "faint" }, nine),
      s("title", null, t("stay_row", { moment: t(moment), half, nine }))];
  });
  return show(parent, card("stays", t("stays_note"), "why_stays", overview),
    h("div", { class: "drawing" }, s("svg", { viewBox: `0 0 ${width} 170`, role: "img", "aria-label": t("stays_image") }, marks, rows.map((r) => s("g", null, r)))));
}

function barOf(part, whole, moment, title) {
  const of = whole ? part / whole : 0;
  return s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": title },
    s("rect", { width: 100, height: 10, class: "bar-bed" }), s("rect", { width: (100 * of).toFixed(2), height: 10, class: `bar-of ${moment}` }));
}

const hides = (moment) => (moment === "go" || moment === "do" ? "narrow-hide" : null);

export function showParts(parent, overview, view) {
  if (isUnread(overview, "by")) return show(parent, card("parts", t("parts_note", { range: t(overview.range.name) }), "why_parts", overview), waiting());
  const { dimension, rows } = overview.by;
  const shownMoments = MOMENTS.slice(1).filter((m) => m === "truth" || rows.some((r) => r.been_in[m]));
  const head = h("thead", null, h("tr", null, h("th", { scope: "col" }, dimension), h("th", { scope: "col", class: "n" }, t("opened")),
    shownMoments.map((m) => h("th", { scope: "col", class: hides(m) }, m === "truth" ? t("bought") : t(m))), h("th", { scope: "col", class: "n" }, t("open"))));
  const body = rows.map((row) => {
    const chosen = view.filter[dimension] === row.value;
    const name = row.value === null ? t("all")
      : h("button", { type: "button", class: "plain", "data-action": "filter", "data-dimension": dimension, "data-value": row.value, "aria-pressed": String(chosen) }, row.value);
    return h("tr", { "data-key": `row-${row.value ?? ""}` }, h("th", { scope: "row" }, name), h("td", { class: "n" }, count(row.opened)),
      shownMoments.map((m) => h("td", { class: hides(m) }, h("div", null,
        share(row.reached[m], row.opened), row.been_in[m] < row.reached[m] ? h("span", { class: "note" }, ` ${t("been_in", { share: share(row.been_in[m], row.opened) })}`) : null, barOf(row.reached[m], row.opened, m, share(row.reached[m], row.opened))))),
      h("td", { class: "n" }, share(row.open, row.opened)));
  });
  const others = Object.keys(overview.dimensions);
  const choose = others.length > 1 ? h("select", { class: "pick", "data-action": "by", "aria-label": t("parts_by", { dimension: "…" }) },
    others.map((d) => h("option", { value: d, selected: d === dimension }, d))) : null;
  return show(parent, card("parts", t("parts_note", { range: t(overview.range.name) }), "why_parts", overview, choose),
    h("div", { class: "scroll" }, h("table", { class: "parts" }, head, h("tbody", null, body))),
    overview.time_to_convert ? h("p", { class: "note" }, t("took", { half: span(overview.time_to_convert.p50_s), nine: span(overview.time_to_convert.p90_s) })) : null);
}

export function showRevenue(parent, overview) {
  if (isUnread(overview, "revenue")) return show(parent, card("revenue", t(overview.range.name), "why_revenue", overview), waiting());
  const rows = overview.revenue.map((r) => h("div", { "data-key": r.currency },
    h("div", { class: "sum" }, money(r.net_minor, r.currency, r.digits)),
    r.given_back_minor ? h("div", { class: "note" }, t("given_back", { money: money(r.given_back_minor, r.currency, r.digits) })) : null));
  return show(parent, card("revenue", t(overview.range.name), "why_revenue", overview), rows.length ? rows : h("p", { class: "nothing" }, t("no_revenue")));
}

export function showCues(parent, overview) {
  if (isUnread(overview, "cues")) return show(parent, card("cues", t("cues_note"), "why_cues", overview), waiting());
  const rows = overview.cues.map((c) => h("tr", { "data-key": `${c.cue}-${c.moment}` }, h("td", null, c.cue.replaceAll("_", " ")),
    h("td", null, c.moment ? h("span", { class: `tag ${c.moment}` }, t(c.moment)) : "–"), h("td", { class: "n" }, count(c.count))));
  return show(parent, card("cues", t("cues_note"), "why_cues", overview), rows.length ? h("table", null, h("tbody", null, rows)) : h("p", { class: "nothing" }, t("no_cues")));
}
