// Shared by both scripts. Every string reaches the page through textContent or an attribute; never as HTML.
const LANGUAGE = (preferences.get("language") ?? navigator.language ?? "en").toLowerCase().startsWith("fr") ? "fr" : "en";
const WORDS = props.labels[LANGUAGE];
const COLON = LANGUAGE === "fr" ? "\u00a0: " : ": ";
document.documentElement.lang = LANGUAGE;

// Characters that turn the reading direction around: harmless in isolated elements, not in attributes.
const plain = (text) => String(text).replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");

// What the server said, in the page's language; it comes in each of them.
const inWords = (message) => message[LANGUAGE];
// … as a sentence of its own: messages begin small, since they may follow a colon.
const sentenceOf = (message) => inWords(message).replace(/^\p{Ll}/u, (letter) => letter.toLocaleUpperCase(LANGUAGE));

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  for (const child of children) node.append(child); // a string becomes a text node
  return node;
}

// What a function of the server returns. Where it does not answer, Gradio returns nothing and says so in the console.
async function call(name, data) {
  const told = await server[name](data);
  if (told === undefined) throw new Error(`no answer to ${name}`);
  return told;
}

// Make the children of `parent` show `items`, touching only those that changed (focus and selection stay).
function reconcile(parent, items, build) {
  items.forEach((item, index) => {
    const key = JSON.stringify(item);
    const old = parent.children[index];
    if (old && old.reconciledKey === key) return;
    const node = build(item, old);
    node.reconciledKey = key;
    if (old) {
      if (old !== node) old.replaceWith(node);
    } else parent.append(node);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
}

const scrolling = () =>
  matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
