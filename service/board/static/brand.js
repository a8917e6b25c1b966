// One brand's card.

import { accuracyOf } from "./accuracy.js";
import { trend } from "./chart.js";
import { copy, make, redraw, write } from "./elements.js";
import { corrected } from "./labels.js";
import { previewOf } from "./preview.js";
import { teachingOf } from "./teaching.js";
import { ago } from "./times.js";
import { number, percent } from "./words.js";

const WIDTH = 300; // of the curve, in its own units

/** A card that `show({brand, standing, curve})` keeps up to date. */
export function brandCard({ brand }) {
  const { node, parts } = copy("brand");
  node.dataset.brand = brand.name;
  accuracyOf(parts.accuracy, brand.name);
  previewOf(parts.preview, brand.name);
  teachingOf(parts.teaching, brand.name);

  function show({ brand, standing, curve }) {
    const state = brand.state ?? {};
    node.dataset.standing = standing.state;
    write(parts.name, brand.name);
    write(parts.standing, standing.text);
    write(parts.mentions, number(state.window_mentions));
    write(parts.normal, normal(state));
    redraw(parts.trend, [curve, state.expected_upper], () => trend(curve, { upper: state.expected_upper, width: WIDTH }));
    redraw(parts.gauges, [state, state.at ? ago(state.at) : null], () => gauges(state));
  }
  return { node, show };
}

function normal(state) {
  if (!state.at) return "mentions in the last hour: not judged yet";
  const upper = state.expected_upper === null ? "" : `, up to ${number(state.expected_upper)} normal`;
  const expected = state.expected === null ? "nothing to compare with yet" : `${number(state.expected)} expected${upper}`;
  return `mentions in the last hour, ${expected}`;
}

function gauges(state) {
  const rows = [row("Negative", percent(state.negative_share), share(state.negative_share))];
  const told = state.negative_share_corrected;
  if (told) rows.push(row("Negative, corrected", corrected(told), share(told.share)));
  for (const [name, score] of Object.entries(state.scores ?? {})) {
    rows.push(row(`Score, ${name}`, score === null ? "not known" : `${number(Math.round(score))} of 100`, score100(score)));
  }
  if (typeof state.praise === "number") {
    rows.push(row("Praise", `${number(Math.round(state.praise))} of 100`, gauge(state.praise, { max: 100 })));
  }
  const sources = Object.entries(state.completeness ?? {});
  for (const [name, ratio] of sources) rows.push(row(`Complete, ${name}`, percent(ratio), complete(ratio)));
  if (sources.length === 0) rows.push(row("Complete", "no source has told anything", null));
  if (state.at) rows.push(row("Judged", ago(state.at), null));
  return rows;
}

const row = (name, text, meter) => make("div", {}, make("dt", {}, name), make("dd", {}, meter, make("span", {}, text)));

// A meter's colours follow from its bounds; its text stands beside it.
const share = (value) => gauge(value, { max: 1, low: 0.34, high: 0.6, optimum: 0 });
const score100 = (value) => gauge(value, { max: 100, low: 30, high: 50, optimum: 0 });
const complete = (value) => gauge(value, { max: 1, low: 0.5, high: 0.95, optimum: 1 });

function gauge(value, bounds) {
  if (value === null || value === undefined) return null;
  return make("meter", { min: 0, ...bounds, value, "aria-hidden": "true" });
}
