// How a brand stands: one word that is never calmer than what is known.

const WATCH = 30; // score from which a brand is watched closely; 50 is where a page goes out
const LATE = 120_000; // ms without a judgement after which the last one says nothing; a tick takes 5 s
const BLIND = 0.5; // completeness of a source below which "calm" would be a guess

export const ORDER = ["crisis", "blind", "late", "unjudged", "opportunity", "watch", "partial", "calm"];

/** {state, text} of a brand, its open episodes and the time in ms (null on a replay's clock, which jumps). */
export function standing(brand, open, now) {
  const state = brand.state ?? {};
  const kinds = open.map((episode) => episode.kind);
  if (kinds.includes("crisis")) return { state: "crisis", text: "crisis" };
  if (state.blind || kinds.includes("blind")) return { state: "blind", text: "blind" };
  if (!state.at) return { state: "unjudged", text: "not yet judged" };
  if (now !== null && now - Date.parse(state.at) > LATE) return { state: "late", text: "judging has stopped" };
  if (kinds.includes("opportunity")) return { state: "opportunity", text: "opportunity" };
  if (high(state)) return { state: "watch", text: "watch" };
  const ratios = Object.values(state.completeness ?? {});
  if (ratios.length === 0 || ratios.some((ratio) => ratio === null || ratio < BLIND)) {
    return { state: "partial", text: "calm, as far as known" };
  }
  return { state: "calm", text: "calm" };
}

function high(state) {
  const above = state.expected_upper !== null && state.window_mentions > state.expected_upper;
  return above || Object.values(state.scores ?? {}).some((score) => score >= WATCH);
}

/** The sentence where nothing is open; it says "quiet" only where every brand was judged and is. */
export function summary(standings) {
  const all = standings.length;
  if (all === 0) {
    return { state: "waiting", text: "No brand is watched yet. Name one in foreshock.yaml, or PUT /v1/brands/{name}." };
  }
  const counts = ORDER.map((state) => [standings.find((s) => s.state === state), state])
    .filter(([first]) => first)
    .map(([first, state]) => `${standings.filter((s) => s.state === state).length} ${first.text}`);
  const brands = `${all} ${all === 1 ? "brand" : "brands"}`;
  if (standings.every((s) => s.state === "calm")) return { state: "calm", text: `${brands} watched, all quiet.` };
  const unknown = standings.some((s) => ["blind", "late", "unjudged", "partial"].includes(s.state));
  return {
    state: unknown ? "unknown" : "watch",
    text: `Nothing is open, but not all is ${unknown ? "known" : "calm"}. ${brands} watched: ${counts.join(", ")}.`,
  };
}
