// Elements from data, and the change of what is shown to what should be shown.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = new Set(["open"]); // attributes that belong to the reader: what is unfolded stays so

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

/** An HTML element. Children are text, elements, or lists of them; nothing is ever read as markup. */
export const h = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const s = (tag, attributes, ...children) => made(document.createElementNS(SVG, tag), attributes, children);

/** Makes the children of `parent` what `wanted` are, and keeps each node that fits: focus and selection stay. */
export function show(parent, ...wanted) {
  morphChildren(parent, wanted.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
}

function morphChildren(parent, wanted) {
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let place = parent.firstChild;
  for (let next of wanted) {
    if (!(next instanceof Node)) next = document.createTextNode(String(next));
    const key = next.dataset?.key;
    const found = key ? keyed.get(key) : place && !place.dataset?.key && fits(place, next) ? place : null;
    if (!found) parent.insertBefore(next, place);
    else {
      if (found === place) place = place.nextSibling;
      else parent.insertBefore(found, place);
      morph(found, next);
    }
    keyed.delete(key);
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

const fits = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

function morph(node, wanted) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== wanted.data) node.data = wanted.data;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (!wanted.hasAttribute(name) && !KEPT.has(name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (!node.hasAttribute("data-own")) morphChildren(node, [...wanted.childNodes]);
}
