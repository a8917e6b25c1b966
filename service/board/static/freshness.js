// Says whether what the page shows is live. A service that is silent must never look like calm.

import { write } from "./elements.js";
import { here, lasting } from "./times.js";

const OLD = 90_000; // ms; browsers slow a hidden page's timers to one a minute, so less would cry wolf

const begun = Date.now();
const readings = { last: null, failed: null };
const events = { last: null, failed: null };
let signedOut = false;

/** Note that brands and episodes could be read, or could not: then all since the last reading is unknown. */
export function noteReading(works) {
  if (works) Object.assign(readings, { last: Date.now(), failed: null });
  else readings.failed ??= readings.last ?? begun;
}

/** Note that the stream of events stands, or broke. */
export function noteStream(works) {
  if (works) Object.assign(events, { last: Date.now(), failed: null });
  else events.failed ??= Date.now();
}

/** Note that the key is no longer taken. */
export function noteSignedOut() {
  signedOut = true;
}

/** Since when (ms) the page is no longer live; null while it is. */
export function staleSince() {
  const since = [readings.failed, events.failed];
  if (readings.last !== null && Date.now() - readings.last > OLD) since.push(readings.last);
  const known = since.filter((at) => at !== null);
  return known.length ? Math.min(...known) : null;
}

/** Show it: the banner, the word in the header, and a mark on all that may be out of date. */
export function showFreshness() {
  const since = staleSince();
  const waiting = since === null && (readings.last === null || events.last === null);
  const state = since !== null ? "stale" : waiting ? "waiting" : "live";
  document.body.dataset.freshness = state;
  const word = document.getElementById("connection");
  word.dataset.state = state;
  write(word, { stale: "Not live", waiting: "Connecting", live: "Live" }[state]);
  banner(since);
}

function banner(since) {
  document.getElementById("stale").hidden = since === null;
  if (since === null) return;
  const text = document.getElementById("stale-text");
  if (signedOut) {
    write(text, `Signed out at ${here(since)}: reload the page and sign in again. Nothing below is live.`);
  } else if (readings.last === null) {
    write(text, "The service has not answered: nothing is known yet.");
  } else {
    const how = readings.failed === null ? "The stream of events has been cut" : "The service has not answered";
    write(text, `${how} since ${here(since)}. Below is how things stood then; a crisis may have begun meanwhile.`);
  }
  write(document.getElementById("stale-age"), `Not live for ${lasting(Date.now() - since)}.`);
}
