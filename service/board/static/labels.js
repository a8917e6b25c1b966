// Buttons that say of a mention how it speaks of the brand; pressed again, that is taken back.

import { make } from "./elements.js";
import { Problem, ask } from "./service.js";
import { percent } from "./words.js";

const SAID = ["negative", "neutral", "positive"];
const given = new Map(); // mention -> what was said of it on this page; the cards are drawn anew meanwhile

/** A group of three buttons and what the service answered. */
export function labelButtons(brand, { source, id }) {
  const mention = JSON.stringify([brand, source, id]);
  const answer = make("span", { role: "status" });
  const buttons = SAID.map((said) => make("button", { type: "button", "data-label": said }, said));
  let busy = false;

  function show() {
    for (const button of buttons) button.setAttribute("aria-pressed", given.get(mention) === button.dataset.label);
  }

  async function say(said) {
    if (busy) return;
    busy = true;
    const label = given.get(mention) === said ? null : said;
    try {
      const { labels } = await ask(`/v1/mentions/${encodeURIComponent(id)}/label`, { source, brand, label });
      given.set(mention, label);
      answer.textContent = label === null ? "Taken back." : `Noted: ${labels} of ${brand} so far.`;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      answer.textContent = `Not noted: ${problem.message}.`;
    } finally {
      busy = false;
      show();
    }
  }

  for (const button of buttons) button.onclick = () => say(button.dataset.label);
  show();
  return make("div", { class: "labels", role: "group", "aria-label": "How does it speak of the brand?" }, ...buttons, answer);
}

/** "31 % (27–36 %), by 140 labels"; "" where nothing is corrected. */
export function corrected(share) {
  if (!share) return "";
  return `${percent(share.share)} (${Math.round(100 * share.low)}–${percent(share.high)}), by ${share.labels} labels`;
}
