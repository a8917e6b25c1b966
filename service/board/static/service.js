// The only way to the service: REST with the session's cookie, and the stream of events.

const PATIENCE = 6_000; // ms to wait for an answer; the service takes far less than one second
const AGAIN = 3_000; // ms until a stream that the browser gave up is opened again
const EVENTS = ["opened", "updated", "escalated", "acknowledged", "snoozed", "woken", "assigned", "noted",
  "feedback", "resolved", "reopened"];

export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The JSON that `path` answers within `patience` ms; a `body` is sent. Throws a Problem that says what went wrong. */
export async function ask(path, body, patience = PATIENCE, method = "POST") {
  const options = { signal: AbortSignal.timeout(patience), cache: "no-store" };
  if (body !== undefined) {
    Object.assign(options, {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }
  let answer;
  try {
    answer = await fetch(path, options);
    if (answer.ok) return await answer.json();
  } catch {
    throw new Problem("the service does not answer", 0);
  }
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(problem.detail || `the service answered ${answer.status}`, answer.status);
}

/** Tell `heard` each event and `changed` whether the stream stands, for as long as the page lives. */
export function listen(heard, changed) {
  const stream = new EventSource("/v1/events");
  stream.onopen = () => changed(true);
  stream.onerror = () => {
    changed(false);
    // The browser tries again by itself unless it was refused.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => listen(heard, changed), AGAIN);
  };
  for (const type of EVENTS) {
    stream.addEventListener(`episode.${type}`, (message) => heard(JSON.parse(message.data)));
  }
}
