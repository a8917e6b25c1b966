// What the page knows: brands, episodes and curves, read from the service and kept up to date by its events.

import { hourly, trendAddress } from "./chart.js";
import { noteReading, noteSignedOut } from "./freshness.js";
import { ask } from "./service.js";
import { now, setClock } from "./times.js";

const EPISODES_AGE = 30_000; // ms between readings of the episodes, which events keep up to date in between
const CURVE_AGE = 30_000; // ms between readings of a curve, whose points are 5 minutes apart
export const PAST = 10; // resolved episodes shown

let brands = null; // null: never read, which is not the same as none
let episodes = new Map();
let heard = []; // episodes that events told of since the last reading of episodes began
let episodesRead = 0;
let curvesWanted = () => [];
const curves = new Map();

export const watched = () => brands;
/** {sums, until, read} of a brand; undefined before it was read. */
export const curve = (brand) => curves.get(brand);
export const zoneOf = (name) => brands?.find((brand) => brand.name === name)?.timezone ?? "UTC";

/** Open, acknowledged and snoozed episodes, the worst first. */
export function openEpisodes() {
  const found = [...episodes.values()].filter((episode) => episode.state !== "resolved");
  return found.sort((a, b) => b.severity - a.severity || b.opened_at.localeCompare(a.opened_at));
}

/** Resolved episodes, the last one first. */
export function pastEpisodes() {
  const found = [...episodes.values()].filter((episode) => episode.state === "resolved" && episode.closed_at);
  return found.sort((a, b) => b.closed_at.localeCompare(a.closed_at)).slice(0, PAST);
}

/** Take over an episode that an event or an answer told of. */
export function hear(episode) {
  heard.push(episode);
  if (curves.has(episode.brand)) curves.get(episode.brand).read = 0;
  keep(episode);
}

function keep(episode) {
  const known = episodes.get(episode.id);
  if (!known || known.version <= episode.version) episodes.set(episode.id, episode);
}

/** Read the episodes with the next reading: events may have been missed. */
export function mistrust() {
  episodesRead = 0;
}

/** Read curves of the brands that `wanted` names at the time. */
export function followCurves(wanted) {
  curvesWanted = wanted;
}

let running = null;
let again = false;

/** Read all that is due, once more if asked while reading. Never throws: freshness tells of failures. */
export function read() {
  again = true;
  running ??= readWhileAsked();
  return running;
}

async function readWhileAsked() {
  while (again) {
    again = false;
    await readAll();
  }
  running = null;
}

async function readAll() {
  try {
    const [told, list] = await Promise.all([ask("/v1/clock"), ask("/v1/brands")]);
    setClock(told);
    brands = list.items;
    const unknown = brands.some(({ state }) => state?.episode && !episodes.has(state.episode));
    if (unknown || Date.now() - episodesRead > EPISODES_AGE) await readEpisodes();
    await readCurves();
    noteReading(true);
  } catch (problem) {
    mistrust();
    noteReading(false);
    if (problem.status === 401 || problem.status === 403) noteSignedOut();
    if (problem.status === undefined) console.error(problem);
  }
}

async function readEpisodes() {
  heard = [];
  episodesRead = Date.now();
  const states = ["open", "acknowledged", "snoozed"].map((state) => `state=${state}&limit=200`);
  const addresses = [...states, `state=resolved&limit=${PAST}`].map((query) => `/v1/episodes?${query}`);
  const pages = await Promise.all(addresses.map((address) => ask(address)));
  episodes = new Map();
  for (const episode of [...pages.flatMap((page) => page.items), ...heard]) keep(episode);
}

async function readCurves() {
  const wanted = new Set(curvesWanted());
  for (const { name, state } of brands) {
    if (!wanted.has(name) || Date.now() - (curves.get(name)?.read ?? 0) < CURVE_AGE) continue;
    const { buckets } = await ask(trendAddress(name, now()));
    // A replay's clock stands ahead of what was posted; up to the last judgement all is counted.
    const end = state?.at ? Math.min(Date.parse(state.at), now()) : now();
    curves.set(name, { ...hourly(buckets, end), read: Date.now() });
  }
}
