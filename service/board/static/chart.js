// Two small drawings: a brand's last day, and what was seen beside what is normal.

import { draw, make } from "./elements.js";
import { number } from "./words.js";

const STEP = 300; // seconds of a bucket
const HOUR = 3600 / STEP; // buckets
const DAY = 24 * HOUR;
const RECENT = DAY / 8; // how far back the present's upper end is drawn: further back another was normal
const HEIGHT = 60;
const TOP = 4; // room for the line's width
let patterns = 0;

/** Where to read the buckets for `trend`, up to `now` (ms): a day, and the hour before it. */
export function trendAddress(brand, now) {
  const start = new Date(now - (DAY + HOUR) * STEP * 1000).toISOString();
  return `/v1/brands/${encodeURIComponent(brand)}/series?step=${STEP}&start=${encodeURIComponent(start)}`;
}

/**
 * `sums`: mentions in the hour before each bucket's end, null where that hour is not wholly known; `until` (ms): when the
 * last of them ends. Buckets that end after `end` (ms) are left out: they still fill.
 */
export function hourly(buckets, end) {
  const ended = buckets.filter((bucket) => Date.parse(bucket.start) + STEP * 1000 <= end);
  const sums = [];
  for (let place = Math.max(HOUR, ended.length - DAY); place <= ended.length; place += 1) {
    const hour = ended.slice(place - HOUR, place);
    sums.push(hour.length === HOUR && hour.every((b) => b.complete) ? hour.reduce((sum, b) => sum + b.mentions, 0) : null);
  }
  const last = ended.at(-1);
  return { sums, until: last ? Date.parse(last.start) + STEP * 1000 : end };
}

/**
 * A figure's content: the curve, what is unknown hatched, the present's upper end of normal, and a line at `since` (ms).
 * `width` is in the drawing's own units.
 */
export function trend(curve, { upper, since, width }) {
  if (!curve) return [make("figcaption", {}, "24 h, not read yet")];
  const { sums, until } = curve;
  const known = sums.filter((sum) => sum !== null);
  const most = known.length ? Math.max(...known) : 0;
  const scale = Math.max(most, upper ?? 0, 1);
  const x = (place) => ((place * width) / Math.max(sums.length - 1, 1)).toFixed(1);
  const y = (count) => (HEIGHT - ((HEIGHT - TOP) * count) / scale).toFixed(1);
  const hatch = `hatch-${(patterns += 1)}`;
  const unknown = known.length < sums.length ? `, not known for ${((sums.length - known.length) / HOUR).toFixed(1)} h` : "";
  const caption = known.length ? `24 h, highest hour ${number(most)}${unknown}` : "24 h, not known yet";
  const svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": caption });
  svg.append(pattern(hatch));
  for (const { from, to, values } of runs(sums)) {
    if (values === null) {
      svg.append(draw("rect", { x: x(from), y: 0, width: x(to - from), height: HEIGHT, fill: `url(#${hatch})` }));
      continue;
    }
    const line = values.map((count, i) => `${x(from + i)},${y(count)}`).join(" ");
    svg.append(
      draw("polygon", { class: "area", points: `${x(from)},${HEIGHT} ${line} ${x(from + values.length - 1)},${HEIGHT}` }),
      draw("polyline", { class: "line", points: line }),
    );
  }
  if (sums.length > 0 && upper !== null && upper !== undefined) {
    svg.append(draw("line", { class: "upper", x1: x(sums.length - 1 - RECENT), x2: width, y1: y(upper), y2: y(upper) }));
  }
  const begun = sums.length - 1 - (until - since) / (STEP * 1000);
  if (begun >= 0 && begun < sums.length) svg.append(draw("line", { class: "begun", x1: x(begun), x2: x(begun), y1: 0, y2: HEIGHT }));
  return [svg, make("figcaption", {}, caption)];
}

function pattern(id) {
  const stripe = draw("path", { class: "stripe", d: "M0 6 L6 0" });
  return draw("defs", {}, draw("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, stripe));
}

/** The runs of known and of unknown values; a run of unknown ones reaches to its neighbours. */
function runs(sums) {
  const found = [];
  sums.forEach((sum, place) => {
    const last = found.at(-1);
    if (last && (last.values === null) === (sum === null)) last.values?.push(sum);
    else found.push({ from: place, values: sum === null ? null : [sum] });
  });
  found.forEach((run, i) => {
    run.to = found[i + 1]?.from ?? sums.length - 1;
    if (run.values === null && i > 0) run.from -= 1;
  });
  return found;
}

/** What was seen as a mark on a line, beside the band of what is normal. */
export function range({ observed, expected, low, high }) {
  const most = Math.max(observed, high, 1) * 1.04;
  const x = (count) => ((100 * Math.max(count, 0)) / most).toFixed(2);
  const label = `${number(observed)} seen; normal is ${number(low)} to ${number(high)}, ${number(expected)} expected`;
  return draw(
    "svg",
    { class: "range", role: "img", "aria-label": label },
    draw("title", {}, label),
    draw("rect", { class: "rail", x: 0, y: 7, width: "100%", height: 6, rx: 3 }),
    draw("rect", { class: "normal", x: `${x(low)}%`, y: 7, width: `${x(high - Math.max(low, 0))}%`, height: 6, rx: 3 }),
    draw("line", { class: "expected", x1: `${x(expected)}%`, x2: `${x(expected)}%`, y1: 4, y2: 16 }),
    draw("circle", { class: "observed", cx: `${x(observed)}%`, cy: 10, r: 6 }),
  );
}
