// Mentions drawn by chance, one after the other, for a person to say how they speak of the brand.

import { make, write } from "./elements.js";
import { labelButtons } from "./labels.js";
import { ask } from "./service.js";

/** Fill the details `node`, once it is opened, with a button that draws a mention to be labelled. */
export function teachingOf(node, name) {
  node.addEventListener("toggle", () => node.append(...drawing(name)), { once: true });
}

function drawing(name) {
  const button = make("button", { type: "button" }, "Show a mention");
  const answer = make("p", { class: "answer", role: "status" });
  const drawn = make("div", { class: "drawn" });
  button.onclick = async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const { items } = await ask(`/v1/brands/${encodeURIComponent(name)}/labels/next?limit=1`);
      drawn.replaceChildren(...items.flatMap((item) => [said(item), labelButtons(name, item)]));
      write(answer, items.length ? "" : "No mention without a label is kept.");
      write(button, "Show another");
    } catch (problem) {
      write(answer, `Not done: ${problem.message}.`);
    }
    button.removeAttribute("aria-disabled");
  };
  const what = "From 100 labels on, the brand's negative share is corrected; mentions drawn by chance teach best.";
  return [make("p", { class: "soft" }, what), drawn, make("div", { class: "ask" }, button, answer)];
}

const said = ({ text, source }) => make("blockquote", { dir: "auto" }, text, " ", make("cite", {}, source));
