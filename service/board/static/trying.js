// Channels, each with a test, and a drill that is followed to the receivers.

import { answering, twice } from "./acting.js";
import { make } from "./elements.js";
import { watched } from "./reading.js";
import { ask } from "./service.js";
import { number, plural } from "./words.js";

const TEST = 60_000; // ms that a receiver may take
const DRILL = 100_000; // ms that a drill is followed, at the most

/** Fill the details `node`, once it is opened, which may have been before this was read. */
export function tryingIn(node) {
  const fill = async () => {
    const answers = answering();
    const list = make("ul", { class: "channels" });
    node.append(make("div", { class: "trying" }, answers.node, list, drill()));
    const found = await answers.run(
      () => Promise.all([ask("/v1/channels"), ask("/v1/webhooks")]),
      ([channels, webhooks]) =>
        channels.items.length + webhooks.items.length ? "" : "No channel is configured: nobody is told but who looks at this page.",
      "Asking…",
    );
    const items = found ? [...found[0].items, ...found[1].items.map((one) => ({ ...one, type: "webhook" }))] : [];
    list.replaceChildren(...items.map(channel));
  };
  if (node.open) fill();
  else node.addEventListener("toggle", fill, { once: true });
}

function channel({ name, type }) {
  const answers = answering();
  const button = make("button", { type: "button", "aria-label": `Test ${name}` }, "Send a test");
  button.onclick = () =>
    answers.run(
      () => ask(`/v1/channels/${encodeURIComponent(name)}/test`, {}, TEST),
      ({ outcome, detail, ms }) => {
        const after = `after ${number(Math.round(ms))} ms${detail ? `: ${detail}` : ""}.`;
        return outcome === "delivered" ? `Arrived ${after}` : [`Did not arrive ${after}`];
      },
      "Sending…",
    );
  return make("li", {}, make("strong", {}, name), ` ${type} `, button, answers.node);
}

function drill() {
  const answers = answering();
  const brands = make("select", {}, ...(watched() ?? []).map(({ name }) => make("option", { value: name }, name)));
  const button = make("button", { type: "button" }, "Start a drill");
  const arrivals = make("ul", { class: "told" });
  twice(button, "Press again: channels are told for real", async () => {
    arrivals.replaceChildren();
    const report = await answers.run(
      () => ask("/v1/drills", { brand: brands.value }, DRILL),
      ({ arrived, channels }) => {
        const of = `${plural(channels.length, "channel")}.`;
        return arrived ? `It arrived everywhere it should, of ${of}` : [`It did not arrive everywhere, of ${of}`];
      },
      "A marked revolt is on its way to the receivers…",
    );
    arrivals.replaceChildren(...(report?.channels ?? []).map(arrival));
  });
  return make("section", {}, make("h3", {}, "Drill"),
    make("p", { class: "soft" }, "A made-up revolt, marked as such, goes the way of a real one to everybody who would be told now."),
    make("div", { class: "ask" }, make("label", {}, "Brand ", brands), button), answers.node, arrivals);
}

function arrival({ channel: name, outcome, seconds, detail }) {
  const after = seconds === null ? "" : ` after ${number(seconds)} s`;
  return make("li", {}, make("bdi", {}, name), " ", make("b", { "data-outcome": outcome }, outcome), `${after}${detail ? `: ${detail}` : ""}`);
}
