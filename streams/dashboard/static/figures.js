// The six figures at the top.

import { h, s, show } from "./dom.js";
import { change, count, dateOf, hourOf, share } from "./format.js";
import { t } from "./words.js";
import { explained, isUnread, untilText } from "./cards.js";

const sumOf = (moves, of) => moves.filter(of).reduce((n, m) => n + m.count, 0);

const OF_NOW = new Set(["in", "till", "ended"]);

function figure(key, label, value, why, overview, ...notes) {
  return h("div", { class: "card figure", "data-key": key }, h("div", { class: "head" }, h("h2", null, label), explained(why, untilText(overview, !OF_NOW.has(key)))),
    h("span", { class: "value" }, value), notes);
}

/** A figure of which the parts may not have been read yet. `made`: its value and its notes. */
function known(key, label, why, overview, parts, made) {
  const [value, ...notes] = isUnread(overview, ...parts) ? ["…", h("span", { class: "note waiting" }, t("unread"))] : made();
  return figure(key, label, value, why, overview, ...notes);
}

const note = (...text) => h("span", { class: "note" }, ...text);

function compared({ total, over, before }, overview) {
  const running = total > over ? note(t("running", { n: count(total - over), time: hourOf(overview.range.over_until, overview.zone) })) : null;
  if (!before || !before.count) return [note(t(isUnread(overview, "usual") ? "unread_weeks" : "no_weeks")), running];
  const { text, direction } = change(over / before.count - 1);
  return [note(h("span", { class: direction }, text), ` ${t("against_before")}`), running];
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
  const range = t(overview.range.name);
  show(parent,
    figure("in", t("in_journey"), count(open), "why_in_journey", overview, note(t("of_them_silent", { n: count(silent) }))),
    figure("till", t("at_till"), count(till.open), "why_at_till", overview, note(t("active_silent", { active: count(till.active_30m), silent: count(till.silent) }))),
    known("purchases", t("purchases_in", { range }), "why_purchases", overview, ["purchases"], () => [count(overview.purchases.total), ...compared(overview.purchases, overview)]),
    known("ended", t("bought_of_ended"), "why_cohort", overview, ["cohort"], () => [
      cohort ? share(cohort.converted, cohort.converted + cohort.abandoned) : "–",
      cohort ? note(t("bought_gave_up", { bought: count(cohort.converted), left: count(cohort.abandoned) }), ", ", t("cohort_of", { from: dateOf(cohort.from, overview.zone) })) : note(t("no_cohort"))]),
    known("back", t("back_from_till"), "why_back", overview, ["moves"], () => {
      const arrivals = sumOf(overview.moves, (m) => m.to === "buy" && (m.kind === "advanced" || m.kind === "opened"));
      const back = sumOf(overview.moves, (m) => m.from === "buy" && m.kind === "returned");
      return [share(back, arrivals), note(t("of_arrivals", { n: count(arrivals) }))];
    }),
    known("opened", t("opened_in", { range }), "why_opened", overview, ["opened"], () => {
      const opened = overview.opened;
      return [count(opened.total), split([["truth", opened.converted], ["left", opened.abandoned], ["open", opened.open]], opened.total),
        note(t("bought_open", { bought: share(opened.converted, opened.total), open: share(opened.open, opened.total) }))];
    }));
}
