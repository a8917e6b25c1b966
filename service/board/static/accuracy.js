// How well a brand was warned in its last weeks: pages against the budget, what people said of them, how soon.

import { answering } from "./acting.js";
import { make } from "./elements.js";
import { ask } from "./service.js";
import { number, percent } from "./words.js";

/** Fill the details `node`, once it is opened, with what the last weeks were. */
export function accuracyOf(node, name) {
  const answers = answering();
  const found = make("div", { class: "preview accuracy" });
  node.append(answers.node, found);
  node.addEventListener("toggle", async () => {
    if (!node.open) return;
    const accuracy = await answers.run(() => ask(`/v1/brands/${encodeURIComponent(name)}/accuracy`), "", "Counting the last weeks…");
    if (accuracy) found.replaceChildren(table(accuracy.windows), soft());
  });
}

const soft = () => make("p", { class: "soft" },
  "In brackets: 95 of 100 such intervals hold the true rate. What nobody said anything of may be false or not: say it at the episode.");

function table(windows) {
  const head = ["", ...windows.map((w) => `Last ${w.weeks} weeks${w.watched_weeks < w.weeks - 0.05 ? ` (${number(w.watched_weeks)} watched)` : ""}`)];
  const rows = [
    ["Pages", (w) => `${number(w.pages.number)}: ${rate(w.pages)}`],
    ["False pages, for sure", (w) => rate(w.false_pages.least)],
    ["False pages, at the most", (w) => rate(w.false_pages.most)],
    ["Alert budget", (w) => `${number(w.false_pages.budget)} a week: ${w.false_pages.verdict}`],
    ["Crises called real", (w) => number(w.said.real)],
    ["Called false alarms", (w) => number(w.said["false alarm"])],
    ["Called campaigns", (w) => number(w.said["known campaign"])],
    ["Crises nobody spoke of", (w) => number(w.said.unsaid)],
    ["From begin to page", (w) => lasted(w.start_to_page)],
    ["Until acknowledged", (w) => `${lasted(w.to_acknowledge)}${w.never_acknowledged ? `; never: ${w.never_acknowledged}` : ""}`],
    ["Notices delivered, lost", (w) => `${number(w.deliveries.delivered)}, ${number(w.deliveries.lost)}`],
    ["Complete", (w) => Object.entries(w.completeness).map(([name, ratio]) => `${name} ${percent(ratio)}`).join(", ") || "not known"],
  ];
  const body = rows.map(([name, cell]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...windows.map((w) => make("td", {}, cell(w)))));
  const heads = head.map((text) => make("th", { scope: "col" }, text));
  return make("div", { class: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body)));
}

const two = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });
const rate = ({ a_week: weekly, low, high }) =>
  weekly === null ? "not a day watched yet" : `${two(weekly)} a week (${two(low)}–${two(high)})`;

function lasted({ number: times, median, low, high }) {
  if (!times) return "–";
  if (times === 1) return `${number(median)} min, once`;
  const range = low === null ? "" : ` (${number(low)}–${number(high)})`;
  return `${number(median)} min${range}, the middle of ${number(times)}`;
}
