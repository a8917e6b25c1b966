// What people say that an episode was, from which its brand learns, and planning the campaign that it was.

import { actor, answering, field } from "./acting.js";
import { make } from "./elements.js";
import { ask } from "./service.js";
import { local } from "./times.js";

const SAID = {
  real: ["It was real", "Noted: the threshold learns nothing from it, for it was no false page."],
  "false alarm": ["False alarm", "Noted: with the next fit, in six hours at the most, as much must be stranger to page."],
  "known campaign": ["Known campaign", "Noted: it is left out of what is normal. Plan it, so that the rest of it pages nobody."],
};

/** A group of buttons that `show(episode)` keeps up to date. */
export function feedbackOf(first, acted, who) {
  const answers = answering();
  const act = actor(first.id, answers, acted, who);
  const buttons = Object.entries(SAID).map(([said, [label, noted]]) => {
    const button = make("button", { type: "button", "data-feedback": said }, label);
    button.onclick = () => act("feedback", { verdict: said }, noted);
    return button;
  });
  const plan = field("Name of the campaign", "Plan it", { placeholder: "Spring sale" }, (name) =>
    answers.run(
      () => ask(`/v1/episodes/${encodeURIComponent(first.id)}/campaign`, { by: who(), name }),
      (planned) => `Planned: ${planned.name}, until ${local(planned.end, "UTC")}.`,
    ),
  );

  function show(episode) {
    for (const button of buttons) button.setAttribute("aria-pressed", episode.feedback === button.dataset.feedback);
    plan.node.hidden = episode.feedback !== "known campaign";
  }
  show(first);
  const group = make("div", { class: "choices", role: "group", "aria-label": "What was it?" }, ...buttons);
  return { node: make("div", { class: "feedback" }, group, plan.node, answers.node), show };
}
