// The board: shows what is known, and asks for more.

import { brandCard } from "./brand.js";
import { arrange, write } from "./elements.js";
import { episodeCard, pastLine } from "./episode.js";
import { noteStream, showFreshness, staleSince } from "./freshness.js";
import { curve, followCurves, hear, mistrust, openEpisodes, pastEpisodes, read, watched, zoneOf } from "./reading.js";
import { listen } from "./service.js";
import { ORDER, standing, summary } from "./standing.js";
import { here, now, replays, universal } from "./times.js";
import { tryingIn } from "./trying.js";
import { KIND, SEVERITY, completeness, seen } from "./words.js";

const READ = 5_000; // ms between readings

const at = (id) => document.getElementById(id);
const cards = { open: new Map(), brands: new Map(), past: new Map() };
const inView = new Set(); // brands whose card is on the screen
let announced = null; // open episode -> the severity that was told; null before the first reading

function show() {
  showFreshness();
  if (watched() === null) return;
  const open = openEpisodes();
  const judged = watched().map((brand) => ({
    brand,
    standing: standing(brand, open.filter((episode) => episode.brand === brand.name && !episode.drill), replays() ? null : now()),
    curve: curve(brand.name),
  }));
  showOpen(open);
  showQuiet(open, judged.map((item) => item.standing));
  showBrands(judged);
  showPast();
  write(at("clock"), replays() ? `Replay, at ${universal(now())}` : "");
  announce(open);
}

function showOpen(open) {
  const items = open.map((episode) => {
    const upper = watched().find((brand) => brand.name === episode.brand)?.state?.expected_upper;
    return [episode.id, { episode, zone: zoneOf(episode.brand), curve: curve(episode.brand), upper }];
  });
  arrange(at("open"), cards.open, items, (item) => episodeCard(item, acted, myName));
  write(at("open-count"), open.length ? String(open.length) : "");
  document.title = `${staleSince() === null ? "" : "Not live · "}${open.length ? `(${open.length}) ` : ""}Foreshock`;
}

function showQuiet(open, standings) {
  const since = staleSince();
  const { state, text } = summary(standings);
  at("quiet").dataset.state = since === null ? state : "unknown";
  if (open.length) write(at("quiet"), "");
  else if (since === null) write(at("quiet"), `${text}${sourcesText()}`);
  else write(at("quiet"), `Not known since ${here(since)}. Nothing was open then.`);
}

function sourcesText() {
  const lowest = {};
  for (const { state } of watched()) {
    for (const [name, ratio] of Object.entries(state?.completeness ?? {})) {
      lowest[name] = Math.min(lowest[name] ?? 1, ratio ?? 0);
    }
  }
  const text = completeness(lowest);
  return text ? ` How complete the sources are, at the least: ${text}.` : "";
}

function showBrands(judged) {
  const rank = ({ standing }) => ORDER.indexOf(standing.state);
  judged.sort((a, b) => rank(a) - rank(b) || a.brand.name.localeCompare(b.brand.name));
  arrange(at("brands"), cards.brands, judged.map((item) => [item.brand.name, item]), (item) => {
    const card = brandCard(item);
    looks.observe(card.node);
    return card;
  });
  write(at("brand-count"), String(judged.length));
}

const looks = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) inView.add(target.dataset.brand);
    else inView.delete(target.dataset.brand);
  }
  readAndShow();
});

function showPast() {
  const items = pastEpisodes().map((episode) => [episode.id, { episode, zone: zoneOf(episode.brand) }]);
  arrange(at("past"), cards.past, items, (item) => pastLine(item, acted, myName));
  at("past-none").hidden = items.length > 0;
}

/** Tell those who do not see the page of what is new or worse since it was opened. */
function announce(open) {
  const before = announced;
  announced = new Map(open.map((episode) => [episode.id, Math.max(before?.get(episode.id) ?? 0, episode.severity)]));
  if (before === null) return;
  for (const episode of open) {
    const told = before.get(episode.id) ?? 0;
    if (episode.severity <= told) continue;
    const what = told ? "is worse" : "is new";
    const severity = `severity ${episode.severity}, ${SEVERITY[episode.severity]}`;
    at("news").textContent = `${KIND[episode.kind]} ${what}: ${episode.brand}, ${severity}. ${seen(episode) || episode.reason}`;
  }
}

async function readAndShow() {
  await read();
  show();
}

/** Show what a button did at once; the event that tells of it comes too, and says the same. */
function acted(episode) {
  hear(episode);
  show();
}

const myName = () => at("name").value.trim() || "board";
at("name").value = localStorage.getItem("name") ?? "";
at("name").onchange = () => localStorage.setItem("name", at("name").value.trim());

tryingIn(at("trying"));
followCurves(() => [...inView, ...openEpisodes().map((episode) => episode.brand)]);
listen(
  (event) => {
    hear(event.episode);
    show();
    readAndShow();
  },
  (works) => {
    noteStream(works);
    mistrust();
    readAndShow();
  },
);
document.addEventListener("visibilitychange", () => document.hidden || readAndShow());
setInterval(readAndShow, READ);
setInterval(show, 1_000);
readAndShow();
