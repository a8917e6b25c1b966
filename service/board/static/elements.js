// Building the page. Texts enter as text nodes alone: what people posted is hostile until shown otherwise.

/** An element with attributes and children; a child that is a string becomes text, null is left out. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A copy of the page's template `id`: the node, and its parts by the name of their slot. */
export function copy(id) {
  const node = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const part of node.querySelectorAll("[data-slot]")) parts[part.dataset.slot] = part;
  return { node, parts };
}

/** Write a text, and only if it is another: selections, focus and screen readers are left in peace. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
  node.hidden = text === "";
}

const drawn = new WeakMap();

/** Put what `build` returns into `node`, if `data` is not what it was built from before. */
export function redraw(node, data, build) {
  const key = JSON.stringify(data);
  if (drawn.get(node) === key) return;
  drawn.set(node, key);
  node.replaceChildren(...build());
}

/** Make the children of `parent` those of `items`, in order: a card each, kept while its item stays. */
export function arrange(parent, cards, items, create) {
  const ids = new Set(items.map(([id]) => id));
  for (const [id, card] of cards) {
    if (!ids.has(id)) {
      card.node.remove();
      cards.delete(id);
    }
  }
  items.forEach(([id, value], place) => {
    if (!cards.has(id)) cards.set(id, create(value));
    const card = cards.get(id);
    // Moving a node takes the focus from it, so only what stands in the wrong place is moved.
    if (parent.children[place] !== card.node) parent.insertBefore(card.node, parent.children[place] ?? null);
    card.show(value);
  });
}

/** The address if it is one that may become a link (http or https), else null. */
export function safeLink(address) {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
