// What all cards have: a title, a note, and what is counted.

import { h } from "./dom.js";
import { whenOf } from "./format.js";
import { t } from "./words.js";

/** True where some of these parts have not been read yet. */
export const isUnread = (overview, ...parts) => parts.some((part) => overview.unread.includes(part));

/** What a card shows instead of figures that are not known yet. */
export const waiting = () => h("p", { class: "nothing waiting" }, t("unread"));

/** Until when figures are right. `running`: the windows of the range, of which the last is not over yet. */
export function untilText(overview, running) {
  if (!overview.as_of) return "";
  const values = { time: whenOf(overview.as_of, overview.zone), over: whenOf(overview.range.over_until, overview.zone) };
  return ` ${t(running ? "until_running" : "until", values)}`;
}

/** Moves are shown as they come: some are later than the time until which figures are right. */
const latestText = ({ as_of: at, zone }) => (at ? ` ${t("until_latest", { time: whenOf(at, zone) })}` : "");

/** The head of a card. `why`: the words that say what is counted, and until when. */
export function card(title, note, why, overview, ...more) {
  const until = why === "why_latest" ? latestText(overview) : untilText(overview, why !== "why_hours");
  return h("div", { class: "head" }, h("h2", null, t(title)), note ? h("span", { class: "note" }, note) : null, ...more, explained(why, until));
}

export function explained(why, until = "") {
  return h("details", { class: "why" }, h("summary", { "aria-label": t("explain"), title: t("explain") }, "?"), h("p", null, t(why) + until));
}
