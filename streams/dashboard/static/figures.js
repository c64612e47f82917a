// The six figures at the top.

import { h, s, show } from "./dom.js";
import { change, count, dateOf, hourOf, share, whenOf } from "./format.js";
import { t } from "./words.js";
import { explained } from "./cards.js";

const sumOf = (moves, of) => moves.filter(of).reduce((n, m) => n + m.count, 0);

function figure(key, label, value, why, overview, ...notes) {
  const until = overview.as_of ? ` ${t("until", { time: whenOf(overview.as_of, overview.zone) })}` : "";
  return h("div", { class: "card figure", "data-key": key }, h("div", { class: "head" }, h("h2", null, label), explained(why, until)),
    h("span", { class: "value" }, value), notes);
}

const note = (...text) => h("span", { class: "note" }, ...text);

function compared({ total, over, before }, overview) {
  const running = total > over ? note(t("running", { n: count(total - over), time: hourOf(overview.range.over_until, overview.zone) })) : null;
  if (!before || !before.count) return [note(t("no_weeks")), running];
  const more = over / before.count - 1;
  return [note(h("span", { class: more < 0 ? "down" : "up" }, `${more < 0 ? "▼" : "▲"} ${change(more)}`), ` ${t("against_before")}`), running];
}

function split(parts, whole) {
  let x = 0;
  return s("svg", { class: "split", viewBox: "0 0 100 7", preserveAspectRatio: "none", "aria-hidden": "true" },
    parts.map(([name, n]) => {
      const width = whole ? (100 * n) / whole : 0;
      x += width;
      return s("rect", { x: x - width, width, height: 7, class: name === "open" ? "open" : `moment ${name}` });
    }));
}

export function showFigures(parent, overview) {
  const here = Object.values(overview.people);
  const open = here.reduce((n, m) => n + m.open, 0);
  const silent = here.reduce((n, m) => n + m.silent, 0);
  const till = overview.people.buy;
  const cohort = overview.cohort;
  const arrivals = sumOf(overview.moves, (m) => m.to === "buy" && (m.kind === "advanced" || m.kind === "opened"));
  const back = sumOf(overview.moves, (m) => m.from === "buy" && m.kind === "returned");
  const opened = overview.opened;
  const range = t(overview.range.name);
  show(parent,
    figure("in", t("in_journey"), count(open), "why_in_journey", overview, note(t("of_them_silent", { n: count(silent) }))),
    figure("till", t("at_till"), count(till.open), "why_at_till", overview, note(t("active_silent", { active: count(till.active_30m), silent: count(till.silent) }))),
    figure("purchases", t("purchases_in", { range }), count(overview.purchases.total), "why_purchases", overview, compared(overview.purchases, overview)),
    figure("ended", t("bought_of_ended"), cohort ? share(cohort.converted, cohort.converted + cohort.abandoned) : "–", "why_cohort", overview,
      cohort ? note(t("bought_gave_up", { bought: count(cohort.converted), left: count(cohort.abandoned) }), ", ", t("cohort_of", { from: dateOf(cohort.from, overview.zone) })) : note(t("no_cohort"))),
    figure("back", t("back_from_till"), share(back, arrivals), "why_back", overview, note(t("of_arrivals", { n: count(arrivals) }))),
    figure("opened", t("opened_in", { range }), count(opened.total), "why_opened", overview,
      split([["truth", opened.converted], ["left", opened.abandoned], ["open", opened.open]], opened.total),
      note(t("bought_open", { bought: share(opened.converted, opened.total), open: share(opened.open, opened.total) }))));
}
