// Acting on an episode: one request at a time, its answer beside the buttons, and no slip for what can't be taken back.

import { make, write } from "./elements.js";
import { Problem, ask } from "./service.js";

const SURE = 6_000; // ms in which a button must be pressed again

/** A place for answers, with `say(text, bad)` and `run(work, done)`; `done` is a sentence, or makes one of the answer; in a list it is bad news. */
export function answering(node = make("p", { class: "answer", role: "status" })) {
  let busy = false;

  function say(text, bad = false) {
    write(node, text);
    node.classList.toggle("bad", bad);
  }

  async function run(work, done, doing = "Telling the service…") {
    if (busy) return null;
    busy = true;
    say(doing);
    try {
      const answer = await work();
      const told = typeof done === "function" ? done(answer) : done;
      say(String(told), Array.isArray(told));
      return answer;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      say(`Not done: ${problem.message}.`, true);
      return null;
    } finally {
      busy = false;
    }
  }
  say("");
  return { node, say, run };
}

/** `act(name, body, done)` does to the episode `id` what REST calls so; `acted` gets what became of it. */
export function actor(id, answers, acted, who) {
  const path = `/v1/episodes/${encodeURIComponent(id)}`;
  return (name, body, done) =>
    answers.run(async () => acted(await ask(`${path}/${name}`, { by: who(), ...body })), done);
}

/** Do it when a button is pressed twice: what can't be taken back is not done by a slip. */
export function twice(button, again, run) {
  const label = button.textContent;
  let asking = null;
  const rest = () => {
    clearTimeout(asking);
    asking = null;
    write(button, label);
  };
  button.onclick = () => {
    if (asking !== null) {
      rest();
      run();
      return;
    }
    write(button, again);
    asking = setTimeout(rest, SURE);
  };
}

/** A form of one field and a button; `send` gets what was written, and the field is emptied where that gave an answer. */
export function field(label, button, attributes, send) {
  const input = make(attributes.rows ? "textarea" : "input", { maxlength: 200, ...attributes });
  const node = make("form", { class: "line" }, make("label", {}, make("span", {}, label), input), make("button", {}, button));
  node.onsubmit = async (event) => {
    event.preventDefault();
    if (input.value.trim() && (await send(input.value.trim())) !== null) input.value = "";
  };
  return { node, input };
}
