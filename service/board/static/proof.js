// What an episode rests on: posts, terms, the method, the history.

import { make, safeLink } from "./elements.js";
import { corrected, labelButtons } from "./labels.js";
import { local } from "./times.js";
import { completeness, number, percent, plural } from "./words.js";

const QUOTED = 420; // characters of a post that are shown; the link leads to the rest
const SHOWN = 3; // first mentions

/** List items of terms, the most telling first. */
export function terms(found) {
  return found.map(({ term, count, expected }) => {
    const usual = expected === undefined ? "" : `, ${number(expected)} expected`;
    return make("li", { title: `${number(count)} times${usual}` }, make("bdi", {}, term), " ", make("b", {}, number(count)));
  });
}

/** List items of the first mentions: the text as a quotation, who wrote it, when, and where, and how it is meant. */
export function firstMentions(found, zone, brand) {
  return found.slice(0, SHOWN).map((mention) =>
    make("li", {}, make("blockquote", { dir: "auto" }, shortened(mention.text)), make("p", {}, ...byline(mention, zone)), labelButtons(brand, mention)),
  );
}

/** List items of who spoke up for the brand, a post each. */
export function advocates(found, zone) {
  return found.slice(0, SHOWN).map((mention) =>
    make("li", {}, make("blockquote", { dir: "auto" }, shortened(mention.text)), make("p", {}, ...byline(mention, zone))),
  );
}

function shortened(text) {
  const letters = Array.from(text ?? "");
  return letters.length > QUOTED ? `${letters.slice(0, QUOTED).join("")}…` : letters.join("");
}

function byline({ author, source, published_at: published, url, negative }, zone) {
  const parts = [make("bdi", { class: "author" }, author?.name || author?.id || "unknown author")];
  if (author?.followers !== null && author?.followers !== undefined) {
    parts.push(`, ${plural(author.followers, "follower")}`);
  }
  parts.push(` · ${source} · `, make("time", { datetime: published }, local(published, zone)));
  if (negative !== null && negative !== undefined) parts.push(` · ${percent(negative)} negative`);
  const address = safeLink(url);
  if (address) parts.push(" · ", make("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, "open the post"));
  return parts;
}

/** Terms and descriptions of how it was found. */
export function facts(episode, zone) {
  const evidence = episode.evidence ?? {};
  const tally = (counts) => Object.entries(counts ?? {}).map(([name, count]) => `${name} ${number(count)}`).join(", ");
  const authors = (evidence.top_authors ?? []).map(
    ({ id, name, followers, mentions }) => `${name || id} (${plural(mentions, "mention")}, ${number(followers)} followers)`,
  );
  const rows = [
    ["Detector", `${episode.detector}, score ${number(Math.round(episode.score))} of 100 (50 pages)`],
    ["Method", episode.method],
    ["Chance of this in a normal window", episode.p_value === null ? "" : episode.p_value.toPrecision(1)],
    ["Alert budget", `${number(episode.budget)} ${episode.kind === "opportunity" ? "opportunities by chance" : "false pages"} a week`],
    ["First strange bucket", local(episode.started_at, zone)],
    ["Alert opened", local(episode.opened_at, zone)],
    ["Completeness", completeness(episode.completeness)],
    ["Negative", percentOf(evidence.negative_share)],
    ["Sources", tally(evidence.sources)],
    ["Languages", tally(evidence.languages)],
    ["Spoke up for it", spoke(evidence.advocates)],
    ["Suspected of coordination", suspicion(evidence.suspected)],
    ["Left out as spam", evidence.excluded ? number(evidence.excluded) : ""],
    ["Loudest authors", authors.join(", ")],
    ["Assigned to", episode.assignee ?? ""],
    ["Feedback", episode.feedback ?? ""],
  ];
  const shown = rows.filter(([, text]) => text).map(([name, text]) => fact(name, make("bdi", {}, text)));
  return [...shown, fact("Replay it", make("code", {}, episode.replay_command))];
}

/** "12 mentions by 9 authors with 40,200 followers"; nothing where nobody did. */
function spoke(found) {
  if (!found?.mentions) return "";
  return `${plural(found.mentions, "mention")} by ${plural(found.authors, "author")} with ${plural(found.reach, "follower")}`;
}

/** "68 % of 25 mentions: copied text 17, empty account 6"; nothing where none is suspected. */
function suspicion(found) {
  if (!found?.mentions) return "";
  const why = Object.entries(found.reasons).map(([reason, count]) => `${reason} ${number(count)}`);
  return `${percent(found.share)} of ${plural(found.of, "mention")}: ${why.join(", ")}`;
}

/** "23 %, corrected 31 % (27–36 %), by 140 labels". */
function percentOf(share) {
  if (!share) return "";
  return share.corrected ? `${percent(share.raw)}, corrected ${corrected(share.corrected)}` : percent(share.raw);
}

const fact = (name, node) => make("div", {}, make("dt", {}, name), make("dd", {}, node));

/** List items of what happened, the newest first. */
export function history(episode, zone) {
  return episode.log.toReversed().map(({ at, type, by, note }) => {
    const what = ` ${type.replace("episode.", "")} by `;
    const said = note ? make("q", { dir: "auto" }, note) : null;
    return make("li", {}, make("time", { datetime: at }, local(at, zone)), what, make("bdi", {}, by), said && ": ", said);
  });
}
