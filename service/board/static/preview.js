// What a brand's last weeks would have raised at some budgets: asked for by a button, shown as a table and a drawing.

import { draw, make, write } from "./elements.js";
import { watched } from "./reading.js";
import { ask } from "./service.js";
import { lasting, local } from "./times.js";
import { number, plural } from "./words.js";

const PATIENCE = 100_000; // ms: weeks are computed in some seconds, on a busy machine in a minute
const LEAST_WIDTH = 280;
const LEFT = 34; // px for the counts beside the curves, and for the budgets beside their lanes
const RIGHT = 8;
const LANE = 20;
const SHOWN = 12; // alerts listed, of the largest budget
const LEAST_BAR = 5; // px: an alert of minutes among weeks must be seen

/** Fill the details `node`, once it is opened, with a button that shows what a brand's last weeks would have raised. */
export function previewOf(node, name) {
  node.addEventListener("toggle", () => node.append(...asking(name)), { once: true });
}

function asking(name) {
  const button = make("button", { type: "button" }, "Look back");
  const answer = make("p", { class: "answer", role: "status" });
  const found = make("div", { class: "preview" });
  button.onclick = async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    answer.classList.remove("bad");
    write(answer, "Playing the last weeks through the detectors…");
    try {
      const preview = await ask(`/v1/brands/${encodeURIComponent(name)}/preview`, {}, PATIENCE);
      const width = Math.max(found.clientWidth, LEAST_WIDTH);
      found.replaceChildren(...shown(preview, watched().find((brand) => brand.name === name) ?? {}, width));
      write(answer, "");
    } catch (problem) {
      answer.classList.add("bad");
      write(answer, `Not done: ${problem.message}.`);
    }
    button.removeAttribute("aria-disabled");
  };
  const what = "How many alerts the brand's own history would have given, and which, before you choose a budget.";
  return [make("p", { class: "soft" }, what), make("div", { class: "ask" }, button, answer), found];
}

function shown(preview, brand, width) {
  const largest = preview.budgets.at(-1);
  const weeks = plural(Math.round(preview.weeks * 10) / 10, "week");
  const part = preview.known < 0.995 ? `, ${Math.floor(preview.known * 100)} % of it known` : "";
  const picture = `/v1/brands/${encodeURIComponent(preview.brand)}/preview.png`;
  return [
    make("p", {}, `The last ${weeks}${part}:`),
    table(preview, brand),
    figure(preview, width),
    make("h4", {}, largest.alerts ? `The alerts at ${budget(largest)}, the worst first` : `No alert at ${budget(largest)}`),
    make("ol", { class: "raised" }, ...worst(largest.raised).map((alert) => line(alert, preview, brand))),
    make("p", {}, make("a", { href: picture, download: `${preview.brand}-preview.png` }, "Download as a picture")),
  ];
}

function table({ budgets }, brand) {
  const head = ["Budget: false pages a week", "Alerts", "Pages, with escalations", "Pages a week", "Worst severity"];
  const rows = budgets.map((at) => {
    const severity = Math.max(0, ...at.raised.map((alert) => alert.severity));
    const name = at.budget === brand.budget ? `${number(at.budget)} (now)` : String(at.budget);
    const cells = [number(at.alerts), number(at.pages), number(at.pages_a_week), severity ? `${severity} of 5` : "–"];
    return make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", {}, cell)));
  });
  const heads = head.map((text) => make("th", { scope: "col" }, text));
  return make("div", { class: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
}

const budget = (at) => `${at.budget} false pages a week`;
const worst = (raised) => [...raised].sort((a, b) => b.score - a.score).slice(0, SHOWN);

function line(alert, preview, brand) {
  const lasted = alert.closed_at ? lasting(Date.parse(alert.closed_at) - Date.parse(alert.opened_at)) : "still open";
  const mark = make("b", { class: "severity", "data-severity": alert.severity }, String(alert.severity));
  const time = make("time", { datetime: alert.opened_at }, local(alert.opened_at, brand.timezone));
  const also = preview.budgets.filter((at) => at.raised.some((other) => overlap(other, alert))).map((at) => at.budget);
  return make("li", {}, mark, " ", time, `, ${lasted}: ${alert.reason} (at ${also.join(", ")})`);
}

const end = (alert) => (alert.closed_at ? Date.parse(alert.closed_at) : Infinity);
const overlap = (a, b) => Date.parse(a.opened_at) <= end(b) && Date.parse(b.opened_at) <= end(a);

/** Mentions, negative ones and the alerts of each budget over the same time. */
function figure(preview, width) {
  const { hours, budgets } = preview;
  const from = Date.parse(preview.start);
  const span = Date.parse(preview.end) - from;
  const x = (ms) => LEFT + ((width - LEFT - RIGHT) * (ms - from)) / span;
  const panels = [
    { band: hours.mentions, kind: "seen", name: "mentions an hour", top: 22, height: 96 },
    { band: hours.negative, kind: "angry", name: "negative mentions an hour", top: 148, height: 76 },
  ];
  const lanes = 256;
  const bottom = lanes + budgets.length * LANE;
  const label = `${budgets.map((at) => `${plural(at.alerts, "alert")} at ${budget(at)}`).join(", ")}`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${bottom + 22}`, role: "img", "aria-label": label });
  for (const panel of panels) svg.append(...curves(panel, Date.parse(hours.start), x, width));
  svg.append(words(LEFT, lanes - 8, "alerts at each budget, by severity"));
  for (const alert of budgets.at(-1).raised) {
    const at = x(Date.parse(alert.opened_at));
    svg.append(draw("line", { class: "begun", x1: at, x2: at, y1: panels[0].top, y2: bottom }));
  }
  budgets.forEach((at, place) => svg.append(...lane(at, lanes + place * LANE, x, width)));
  svg.append(...days(from, span, x, bottom + 16, width));
  const legend = "Grey: 95 of 100 normal hours lie there, the line in it is what was expected. Heights by square root. Gaps: not known.";
  return make("figure", {}, svg, make("figcaption", {}, legend));
}

function curves({ band, kind, name, top, height }, start, x, width) {
  const most = Math.max(4, ...band.observed.filter(Number.isFinite), ...band.high.filter(Number.isFinite));
  const y = (count) => (top + height - height * Math.sqrt(count / most)).toFixed(1);
  const at = (place) => x(start + place * 3_600_000).toFixed(1);
  const step = (values, first) => values.map((value, i) => `${at(first + i)},${y(value)} ${at(first + i + 1)},${y(value)}`);
  const parts = [words(LEFT, top - 8, name)];
  for (const count of [0, most / 4, most]) {
    parts.push(draw("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: y(count), y2: y(count) }));
    parts.push(words(LEFT - 5, Number(y(count)) + 4, number(Math.round(count)), "end"));
  }
  for (const { first, last } of runs(band.high)) {
    const upper = step(band.high.slice(first, last), first);
    const lower = step(band.low.slice(first, last), first).map((pair) => pair.split(" ").reverse().join(" "));
    parts.push(draw("polygon", { class: "normal", points: [...upper, ...lower.reverse()].join(" ") }));
    parts.push(draw("polyline", { class: "expected", points: step(band.expected.slice(first, last), first).join(" ") }));
  }
  for (const { first, last } of runs(band.observed)) {
    parts.push(draw("polyline", { class: kind, points: step(band.observed.slice(first, last), first).join(" ") }));
  }
  return parts;
}

function lane(at, top, x, width) {
  const middle = top + LANE / 2;
  const bars = at.raised.map((alert) => {
    const begin = x(Date.parse(alert.opened_at));
    const length = Math.max(Math.min(x(end(alert)), width - RIGHT) - begin, LEAST_BAR);
    const title = draw("title", {}, `severity ${alert.severity}: ${alert.reason}`);
    const place = { x: begin, y: top + 3, width: length, height: LANE - 6, "data-severity": alert.severity };
    return draw("rect", { class: "alert", ...place }, title);
  });
  const rule = draw("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: middle, y2: middle });
  return [rule, words(LEFT - 5, middle + 4, String(at.budget), "end"), ...bars];
}

function days(from, span, x, y, width) {
  const all = span / 86_400_000;
  const each = Math.ceil(all / Math.max(2, Math.floor(width / 80)));
  const name = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const found = [];
  for (let day = Math.ceil(from / 86_400_000); day * 86_400_000 < from + span; day += each) {
    const place = x(day * 86_400_000);
    if (place < width - 28) found.push(words(place, y, name.format(day * 86_400_000)));
  }
  return found;
}

const words = (x, y, text, anchor = "start") => draw("text", { x, y, "text-anchor": anchor }, text);

/** Runs of known values: first, and one beyond the last. */
function runs(values) {
  const found = [];
  values.forEach((value, place) => {
    if (value === null) return;
    if (found.at(-1)?.last === place) found.at(-1).last = place + 1;
    else found.push({ first: place, last: place + 1 });
  });
  return found;
}
