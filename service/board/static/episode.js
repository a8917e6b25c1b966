// One open episode's card, and one resolved episode's line.

import { actor, answering, twice } from "./acting.js";
import { range, trend } from "./chart.js";
import { copy, make, redraw, write } from "./elements.js";
import { handlingOf } from "./handling.js";
import { advocates, facts, firstMentions, history, terms } from "./proof.js";
import { ago, lasting, local } from "./times.js";
import { KIND, SEVERITY, completeness, growth, seen } from "./words.js";

const WIDTH = 600; // of the curve, in its own units

/** A card that `show({episode, zone, curve, upper})` keeps up to date; `acted` gets the episode that an action gave. */
export function episodeCard({ episode: first }, acted, who) {
  const { node, parts } = copy("episode");
  node.dataset.episode = first.id;
  parts.title.id = `title-${first.id}`;
  node.setAttribute("aria-labelledby", parts.title.id);
  buttons(first.id, parts, acted, who);
  const handling = handlingOf(parts.handling, first, acted, who);

  function show({ episode, zone, curve, upper }) {
    Object.assign(node.dataset, { kind: episode.kind, severity: episode.severity, state: episode.state });
    write(parts.severity, severityOf(episode));
    write(parts.title, episode.brand);
    write(parts.state, stateOf(episode, zone));
    write(parts.since, `Since ${local(episode.started_at, zone)}, ${ago(episode.started_at)}`);
    write(parts.seen, seen(episode));
    write(parts.reason, episode.reason);
    write(parts.growth, growth(episode.growth));
    write(parts.partial, partial(episode));
    write(parts.acknowledge, episode.state === "acknowledged" ? "Acknowledged" : "Acknowledge");
    parts.acknowledge.setAttribute("aria-disabled", episode.state === "acknowledged");
    redraw(parts.range, [episode.observed, episode.expected, episode.low, episode.high], () =>
      episode.kind === "blind" ? [] : [range(episode)],
    );
    const since = Date.parse(episode.started_at);
    redraw(parts.trend, [curve, upper, since], () => trend(curve, { upper, since, width: WIDTH }));
    showProof(parts, episode, zone);
    handling.show(episode, zone);
  }
  return { node, show };
}

function showProof(parts, episode, zone) {
  const { top_terms: telling = [], first_mentions: mentions = [] } = episode.evidence ?? {};
  parts["terms-part"].hidden = telling.length === 0;
  parts["first-part"].hidden = mentions.length === 0;
  parts.evidence.hidden = telling.length + mentions.length === 0;
  redraw(parts.terms, telling, () => terms(telling));
  redraw(parts.first, [mentions, zone], () => firstMentions(mentions, zone, episode.brand));
  const spoke = episode.evidence?.advocates?.posts ?? [];
  parts["advocates-part"].hidden = spoke.length === 0;
  redraw(parts.advocates, [spoke, zone], () => advocates(spoke, zone));
  redraw(parts.facts, [episode.id, episode.version, zone], () => facts(episode, zone));
  redraw(parts.log, [episode.log, zone], () => history(episode, zone));
}

/** "Crisis · 4 of 5, severe"; being blind has no degrees. */
function severityOf({ kind, severity, drill }) {
  if (drill) return `Drill, made up · ${severity} of 5`;
  return kind === "blind" ? KIND.blind : `${KIND[kind]} · ${severity} of 5, ${SEVERITY[severity]}`;
}

function stateOf(episode, zone) {
  const by = (type) => episode.log.findLast((entry) => entry.type === type)?.by;
  if (episode.state === "acknowledged") return `acknowledged by ${by("episode.acknowledged") ?? "somebody"}`;
  if (episode.state === "snoozed" && episode.snoozed_until) return `snoozed until ${local(episode.snoozed_until, zone)}`;
  return episode.state;
}

/** A sentence where sources had not told all: the figures are then too low, not the crisis small. */
function partial(episode) {
  const ratios = Object.values(episode.completeness ?? {}).map((told) => told?.ratio ?? 0);
  if (episode.kind === "blind" || !ratios.some((ratio) => ratio < 0.95)) return "";
  return `Sources have not told all, so it may be larger: ${completeness(episode.completeness)}.`;
}

function buttons(id, parts, acted, who) {
  const act = actor(id, answering(parts.answer), acted, who);
  parts.acknowledge.onclick = () => {
    if (parts.acknowledge.getAttribute("aria-disabled") === "true") return;
    act("acknowledge", {}, "Acknowledged: the others see that you are at it.");
  };
  parts.snooze.onclick = () => act("snooze", { minutes: 60 }, "Snoozed for an hour; the episode stays open.");
  twice(parts.resolve, "Press again to resolve", () => act("resolve", {}, "Resolved."));
}

/** A line that `show({episode, zone})` keeps up to date. */
export function pastLine({ episode: first }, acted, who) {
  const text = make("div");
  const more = make("details", {}, make("summary", {}, "Feedback, notes and report"));
  const node = make("li", { "data-episode": first.id }, text, more);
  const handling = handlingOf(more, first, acted, who);

  function show({ episode, zone }) {
    handling.show(episode, zone);
    redraw(text, [episode.version, zone, ago(episode.closed_at)], () => [
      make("p", {}, make("strong", {}, episode.brand), ` ${severityOf(episode)}`),
      make("p", {}, seen(episode) || episode.reason),
      make("p", { class: "soft" }, `${local(episode.started_at, zone)}, lasted ` +
        `${lasting(Date.parse(episode.closed_at) - Date.parse(episode.started_at))}, resolved ${ago(episode.closed_at)}` +
        `${episode.feedback ? `; judged: ${episode.feedback}` : ""}`),
    ]);
  }
  return { node, show };
}
