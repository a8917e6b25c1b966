// Figures as sentences.

export const SEVERITY = ["none", "slight", "elevated", "serious", "severe", "critical"];
export const KIND = { crisis: "Crisis", opportunity: "Opportunity", blind: "Blind" };
const COUNTED = { revolt: "negative mentions", voice: "followers of one angry author", negativity: "negative mentions", advocates: "positive mentions" };

/** A count or a rate: one decimal where it is small, thousands set apart, a dash where it is not known. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const digits = Math.abs(value) < 10 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

export const percent = (share) =>
  share === null || share === undefined ? "not known" : `${Math.round(100 * share)} %`;

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** "an hour", "15 minutes". */
export function span(seconds) {
  if (seconds === 3600) return "an hour";
  if (seconds === 86_400) return "a day";
  if (seconds % 86_400 === 0) return `${seconds / 86_400} days`;
  if (seconds % 3600 === 0) return `${seconds / 3600} hours`;
  return plural(Math.round(seconds / 60), "minute");
}

/** "142 negative mentions in an hour, 18 expected (9–31)". */
export function seen(episode) {
  if (episode.kind === "blind") return "";
  const what = COUNTED[episode.detector] ?? "mentions";
  const normal = `${number(episode.expected)} expected (${number(episode.low)}–${number(episode.high)})`;
  return `${number(episode.observed)} ${what} in ${span(episode.window_seconds)}, ${normal}`;
}

/** "Doubles every 17 minutes (12–30). At this pace: 280 an hour in 1 h, ...". */
export function growth(found) {
  if (!found?.doubling_minutes) return "";
  const known = found.low !== null && found.high !== null;
  const range = known ? ` (${number(found.low)}–${number(found.high)})` : "";
  const pace = Object.entries(found.ahead ?? {})
    .filter(([, count]) => count !== null)
    .map(([hours, count]) => `${number(count)} an hour in ${hours} h`);
  const doubles = `Doubles every ${plural(Math.round(found.doubling_minutes), "minute")}${range}.`;
  return pace.length ? `${doubles} At this pace: ${pace.join(", ")}.` : doubles;
}

/** "x 100 %, feed 40 %"; ratios by source, in the Episode's form or in the brand's. */
export function completeness(sources) {
  return Object.entries(sources ?? {})
    .map(([name, told]) => `${name} ${percent(typeof told === "object" ? told?.ratio : told)}`)
    .join(", ");
}
