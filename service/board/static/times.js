// The service's time, which in a replay is not the machine's, and instants as a brand's people say them.

const clock = { ahead: 0, stands: null };

/** Take over what `/v1/clock` told. A replay's clock stands still until it is moved. */
export function setClock({ now: told, replay }) {
  clock.stands = replay ? Date.parse(told) : null;
  clock.ahead = Date.parse(told) - Date.now();
}

/** Whether the service runs on a replay's clock. */
export const replays = () => clock.stands !== null;

/** The service's time in ms. */
export const now = () => clock.stands ?? Date.now() + clock.ahead;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in words: "12 min", "3 h 5 min", "2 days". */
export function lasting(ms) {
  if (ms < MINUTE) return `${Math.max(Math.round(ms / 1000), 0)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) {
    const minutes = Math.floor((ms % HOUR) / MINUTE);
    return `${Math.floor(ms / HOUR)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  return `${Math.floor(ms / DAY)} days`;
}

/** "just now", "12 min ago", by the service's clock. */
export function ago(instant) {
  const passed = now() - Date.parse(instant);
  return passed < MINUTE ? "just now" : `${lasting(passed)} ago`;
}

/** "14:02 Berlin time", with the day where it is not today there. */
export function local(instant, zone) {
  const date = new Date(instant);
  const { timeZone, place } = known(zone);
  const day = (when) => new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "medium" }).format(when);
  const time = new Intl.DateTimeFormat("en-GB", { timeZone, timeStyle: "short", hourCycle: "h23" }).format(date);
  const weekday = new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "short", day: "numeric", month: "short" });
  return `${day(date) === day(now()) ? "" : `${weekday.format(date)}, `}${time} ${place}`;
}

/** Day and time in UTC. */
export const universal = (ms) =>
  `${new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", dateStyle: "medium", timeStyle: "short" }).format(ms)} UTC`;

/** Hour, minute and second on the reader's own clock. */
export const here = (ms) => new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" }).format(ms);

function known(zone) {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    const city = zone.split("/").pop().replaceAll("_", " ");
    return { timeZone: zone, place: zone.includes("/") && !zone.startsWith("Etc/") ? `${city} time` : zone };
  } catch {
    return { timeZone: "UTC", place: "UTC" };
  }
}
