// Steps in words: the latest moves, and the story of one person.

import { h, show } from "./dom.js";
import { clock, dateOf, share, span } from "./format.js";
import { parts, t } from "./words.js";
import { card } from "./cards.js";

const SHOWN = 8;
const AHEAD_MS = 60000; // partitions say how far they are once a second, and idle ones some seconds later
const tag = (moment) => h("span", { class: `tag ${moment}` }, t(moment));

function said(step) {
  const key = step.kind === "converted" && !step.from ? "step_converted_at_once" : `step_${step.kind}`;
  return parts(key, { from: step.from ? tag(step.from) : "", to: step.to ? tag(step.to) : "" });
}

const dims = (step) => Object.values(step.dimensions ?? {}).filter((v) => v && v !== "other").join(" · ");

function aside(step) {
  const left = step.kind !== "abandoned" && step.kind !== "stalled"; // silence is no stay
  return [left && step.dwell_s !== null && step.dwell_s !== undefined ? t("after", { span: span(step.dwell_s) }) : "", dims(step)].filter(Boolean).join(" · ");
}

/** True for a move that is so much later than the figures that one would miss it in them: its partition is ahead. */
export const isAhead = (step, overview) => !overview.as_of || Date.parse(step.at) - Date.parse(overview.as_of) > AHEAD_MS;

export function showLatest(parent, overview, view) {
  const of = view.latest.filter((x) => !view.moment || x.from === view.moment || x.to === view.moment).slice(0, SHOWN);
  const rows = of.map((x) => h("li", { "data-key": x.id, class: x.taken_back ? "taken-back" : null },
    h("span", { class: "note" }, clock(x.at, overview.zone)), h("span", null, said(x), " ", h("span", { class: "note" }, [aside(x), isAhead(x, overview) ? t("ahead") : "", x.taken_back ? t("taken_back") : ""].filter(Boolean).join(" · "))),
    x.profile ? h("button", { type: "button", class: "plain", "data-action": "story", "data-profile": x.profile }, x.profile) : null));
  show(parent, card("latest", t("latest_note"), "why_latest", overview), rows.length ? h("ol", { class: "moves" }, rows) : h("p", { class: "nothing" }, t("nothing_moved")));
}

const colour = (step) => (step.kind === "stalled" || step.kind === "abandoned" ? "left" : step.kind === "returned" ? "back" : (step.to ?? "left"));

function told(x, zone) {
  return h("li", { class: colour(x) }, said(x),
    x.skipped?.length ? h("span", { class: "note" }, ` ${t("over_moments", { moments: x.skipped.map((m) => t(m)).join(", ") })}`) : null,
    h("small", null, [`${dateOf(x.at, zone)} ${clock(x.at, zone)}`, aside(x)].filter(Boolean).join(" · ")),
    h("small", null, x.rule ? t("read_from", { rule: x.rule, share: share(x.confidence, 1) }) : t("from_silence"),
      x.event ? ` · ${[t("evidence", { event: x.event }), x.device ? t("on_device", { device: x.device }) : "", x.source].filter(Boolean).join(", ")}` : ""));
}

function ofProfile(profile, zone) {
  const open = profile.journeys.filter((journey) => journey.moment);
  const now = open.length ? open.map((journey, i) => [i ? " · " : "", parts("in_moment", { moment: tag(journey.moment) })]) : t("in_none");
  return [
    h("p", { class: "note" }, [profile.tenant, profile.profile].filter(Boolean).join(" · "), " · ", t(profile.journeys.length === 1 ? "journeys_one" : "journeys_n", { n: profile.journeys.length }), " · ", now),
    profile.person ? h("p", { class: "note" }, t("belongs", { person: profile.person }), " ", h("button", { type: "button", class: "plain", "data-action": "story", "data-profile": profile.person }, profile.person)) : null,
    profile.journeys.map((journey) => [
      journey.need ? h("h3", { class: "note" }, t("about", { need: journey.need })) : null,
      h("ol", { class: "steps" }, journey.steps.map((x) => told(x, zone)))])];
}

const WHY_NOT = { 401: "needs_token", 403: "needs_token", 404: "nobody" };

const storyHead = (name) => h("div", { class: "head" }, h("h2", { id: "story-name" }, name),
  h("button", { type: "button", class: "close", "data-action": "close-story" }, t("close")));

/** What is shown until the story has come. */
export function showSearching(dialog, name) {
  dialog.dataset.name = name;
  show(dialog, storyHead(name), h("p", { class: "nothing", role: "status" }, t("searching")));
}

/** The story of a person; `found` is what the API answered, or null with the `status` of its answer. */
export function showStory(dialog, name, found, status, zone) {
  const head = storyHead(name);
  if (!found) {
    show(dialog, head, h("p", { class: "nothing" }, t(WHY_NOT[status] ?? "not_now", { name })));
    return;
  }
  show(dialog, head, found.complete ? null : h("p", { class: "note" }, t("incomplete")), found.profiles.map((profile) => ofProfile(profile, zone)));
}
