// What is done with an episode beside its main buttons: whose it is, notes, feedback, quiet, who was told, report.

import { actor, answering, field } from "./acting.js";
import { make } from "./elements.js";
import { feedbackOf } from "./feedback.js";
import { ask } from "./service.js";
import { local, now } from "./times.js";

const HOUR = 3_600_000; // ms
const QUIET = [[1, "1 hour"], [8, "8 hours"], [24, "a day"]];
const TOLD = 50; // deliveries shown

/** Fill the details `node`, once it is opened; the answer's `show(episode, zone)` keeps it up to date. */
export function handlingOf(node, first, acted, who) {
  let feedback = null;
  let latest = first;
  let zone = "UTC";
  node.addEventListener("toggle", () => {
    feedback = feedbackOf(latest, acted, who);
    node.append(...parts(latest, () => zone, feedback, acted, who));
  }, { once: true });
  return {
    show(episode, where) {
      latest = episode;
      zone = where;
      feedback?.show(episode);
    },
  };
}

function parts(episode, zone, feedback, acted, who) {
  const answers = answering();
  const act = actor(episode.id, answers, acted, who);
  const assign = field("Whose it is", "Assign", { placeholder: "Dana, PR" }, (to) => act("assign", { to }, `Assigned to ${to}.`));
  const note = field("Note for the log", "Add note", { rows: 2, maxlength: 10_000 }, (text) => act("notes", { note: text }, "Noted."));
  return [
    make("div", { class: "handling" },
      part("Was it one?", feedback.node),
      part("Who and what", ...(episode.state === "resolved" ? [] : [assign.node]), note.node, answers.node),
      part(`Tell nobody of ${episode.detector} of ${episode.brand} for`, mute(episode, zone, who)),
      part("Who was told", deliveries(episode, zone)),
      part("Picture and report", picture(episode), links(episode)),
    ),
  ];
}

const part = (title, ...nodes) => make("section", {}, make("h4", {}, title), ...nodes);

function mute(episode, zone, who) {
  const answers = answering();
  const name = `board-${episode.detector}-${episode.brand}`.slice(0, 63);
  const buttons = QUIET.map(([hours, label]) => {
    const button = make("button", { type: "button", "data-hours": hours }, label);
    button.onclick = () => {
      const end = new Date(now() + hours * HOUR).toISOString();
      const quiet = { brands: [episode.brand], detectors: [episode.detector], kinds: [episode.kind], end, reason: `by ${who()}` };
      answers.run(() => ask(`/v1/mutes/${name}`, quiet, undefined, "PUT"), `Nobody is told until ${local(end, zone())}; the board shows it still.`);
    };
    return button;
  });
  return make("div", {}, make("div", { class: "choices", role: "group", "aria-label": "Tell nobody for" }, ...buttons), answers.node);
}

function deliveries(episode, zone) {
  const answers = answering();
  const list = make("ol", { class: "told" });
  const button = make("button", { type: "button" }, "Show who was told");
  button.onclick = async () => {
    const address = `/v1/deliveries?episode=${encodeURIComponent(episode.id)}&limit=${TOLD}`;
    const found = await answers.run(() => ask(address), ({ items }) => (items.length ? "" : "Nobody was told yet."), "Asking…");
    if (found) list.replaceChildren(...found.items.map((item) => told(item, zone())));
  };
  return make("div", {}, button, answers.node, list);
}

function told({ at, channel, type, outcome, detail, tries }, zone) {
  const what = ` ${type.replace("episode.", "")} to `;
  const said = detail ? `: ${detail}` : "";
  const mark = make("b", { "data-outcome": outcome }, outcome);
  return make("li", {}, make("time", { datetime: at }, local(at, zone)), what, make("bdi", {}, channel), " ", mark, `, try ${tries}${said}`);
}

function picture({ id, version, brand }) {
  const answers = answering();
  const button = make("button", { type: "button" }, "Show the picture");
  const place = make("div", {}, button, answers.node);
  button.onclick = () => {
    const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const source = `/v1/episodes/${encodeURIComponent(id)}/chart.png?theme=${theme}&version=${version}`;
    const image = make("img", { class: "picture", src: source, alt: `What was counted of ${brand}, and what is normal` });
    image.onload = () => place.replaceChildren(image);
    image.onerror = () => answers.say("There is no picture: of its time no counts are kept.", true);
    answers.say("Drawing…");
  };
  return place;
}

function links({ id }) {
  const address = `/v1/episodes/${encodeURIComponent(id)}/report`;
  const open = { target: "_blank", rel: "noopener" };
  return make("p", {},
    make("a", { href: `${address}?format=html`, ...open }, "After-action report"), " · ",
    make("a", { href: `${address}?format=md`, ...open }, "as Markdown"));
}
