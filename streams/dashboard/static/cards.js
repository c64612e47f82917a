// What all cards have: a title, a note, and what is counted.

import { h } from "./dom.js";
import { whenOf } from "./format.js";
import { t } from "./words.js";

/** The head of a card. `why`: the words that say what is counted, and until when. */
export function card(title, note, why, overview, ...more) {
  const until = overview.as_of ? ` ${t("until", { time: whenOf(overview.as_of, overview.zone) })}` : "";
  return h("div", { class: "head" }, h("h2", null, t(title)), note ? h("span", { class: "note" }, note) : null, ...more, explained(why, until));
}

export function explained(why, until = "") {
  return h("details", { class: "why" }, h("summary", { "aria-label": t("explain"), title: t("explain") }, "?"), h("p", null, t(why) + until));
}
