// The document panel: the text sentence by sentence, the sentences that light up, the one that is shown.
const region = element.querySelector(".qa-panel");
const selector = element.querySelector("select");
const title = element.querySelector(".qa-panel-title");
const count = element.querySelector(".qa-count");
const back = element.querySelector(".qa-back");
const uploads = element.querySelector(".qa-uploads");
const changed = element.querySelector(".qa-changed");
const body = element.querySelector(".qa-document");
const said = element.querySelector(".qa-said");
element.querySelector(".qa-choose span").textContent = WORDS.choose;
back.textContent = WORDS.back;
changed.textContent = WORDS.changed;

const texts = new Map(); // document id → its text as read_document returned it (a promise)
let current = ""; // the id of the document on show
let wanted = 0; // counts requests to show something: a later one wins over a slow earlier one
let origin = null; // the marker that was clicked
let shown = null; // the element that carries aria-current
let torn = false; // the shown citation is not one whole sentence: paragraphs were taken apart for it
let spans = new Map(); // "start:end" → element

const key = (pointer) => `${pointer.start}:${pointer.end}`;

function read(id) {
  if (!texts.has(id)) {
    const reading = server.read_document(id);
    reading.catch(() => texts.delete(id));
    texts.set(id, reading);
  }
  return texts.get(id);
}

function piece(item) {
  if (item.end === null) return item.text;
  const span = make("span", { class: "qa-sentence" }, item.text);
  spans.set(key(item), span);
  return span;
}

function paragraph(item) {
  const heading = item.pieces.length > 0 && item.pieces.every((one) => one.heading || !one.text.trim());
  const node = make(
    "div",
    heading
      ? { class: "qa-paragraph qa-heading", role: "heading", "aria-level": "3", dir: "auto" }
      : { class: "qa-paragraph", dir: "auto" },
    ...item.pieces.map(piece)
  );
  if (item.gap.split("\n").length > 2) node.classList.add("qa-apart");
  node.append(make("span", { hidden: true }, item.gap)); // kept, so that the panel holds the whole text
  return node;
}

function render(text) {
  current = text.id;
  spans = new Map();
  shown = null;
  torn = false;
  const parts = text.error
    ? [make("p", { class: "qa-error" }, text.error)]
    : text.paragraphs.map(paragraph);
  body.replaceChildren(...parts);
  const sentences = text.paragraphs.flatMap((one) => one.pieces).filter((one) => one.end && !one.heading);
  title.textContent = text.title;
  count.textContent = text.error ? "" : `${sentences.length} ${WORDS.sentences}`;
  region.setAttribute("aria-label", plain(`${WORDS.document} : ${text.title}`));
  selector.value = text.id;
  light();
}

// Light up the sentences of the latest question that are in the document on show.
function light() {
  for (const span of spans.values()) span.classList.remove("qa-considered", "qa-chosen");
  for (const name of ["considered", "chosen"]) {
    for (const pointer of props.value[name]) {
      if (pointer.document === current) spans.get(key(pointer))?.classList.add(`qa-${name}`);
    }
  }
}

async function open(id) {
  const turn = ++wanted;
  const text = await read(id);
  if (turn !== wanted) return false;
  if (current !== id) {
    render(text);
    body.scrollTop = 0;
  }
  return true;
}

// A citation that is not one whole sentence: give exactly its characters an element of their own.
function tear(citation) {
  const leaves = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) leaves.push(walker.currentNode);
  const range = document.createRange();
  let at = 0; // counts code points, as the server does
  let begun = false;
  for (const leaf of leaves) {
    const letters = Array.from(leaf.data);
    const unit = (position) => letters.slice(0, position - at).join("").length;
    if (!begun && citation.start < at + letters.length) {
      range.setStart(leaf, unit(citation.start));
      begun = true;
    }
    if (begun && citation.end <= at + letters.length) {
      range.setEnd(leaf, unit(citation.end));
      if (range.toString() !== citation.text) return null;
      const mark = make("span", { class: "qa-sentence" }, citation.text);
      range.deleteContents();
      range.insertNode(mark);
      torn = true;
      return mark;
    }
    at += letters.length;
  }
  return null;
}

async function clear() {
  back.hidden = true;
  changed.hidden = true;
  said.textContent = "";
  origin?.classList.remove("qa-active");
  if (shown) shown.removeAttribute("aria-current");
  shown = null;
  if (torn) render(await read(current));
}

async function point(citation, from) {
  if (!(await open(citation.document))) return;
  await clear();
  const span = spans.get(key(citation));
  const target = span && span.textContent === citation.text ? span : tear(citation);
  origin = from;
  origin.classList.add("qa-active");
  back.hidden = false;
  if (target === null) {
    changed.hidden = false;
    return;
  }
  target.setAttribute("aria-current", "true");
  shown = target;
  said.textContent = plain(`${WORDS.shown} : ${title.textContent}`);
  target.scrollIntoView({ behavior: scrolling(), block: "center" });
}

function goBack() {
  clear();
  if (origin && origin.isConnected) {
    origin.focus({ preventScroll: true });
    origin.scrollIntoView({ behavior: scrolling(), block: "nearest" });
  }
}

function report(item) {
  const verdict = item.added ? WORDS.added : item.message || WORDS.upload_failed;
  return make(
    "p",
    { class: item.added ? "qa-notice" : "qa-error" },
    make("bdi", {}, item.name), " : ", make("span", {}, verdict)
  );
}

let shelf = "";
let lit = "";
let asked = 0;
async function show() {
  const view = props.value;
  if (view.asked !== asked) {
    asked = view.asked;
    await clear();
  }
  const books = JSON.stringify(view.documents);
  if (books !== shelf || view.show) {
    shelf = books;
    texts.clear(); // a document of the same name may have changed
    const options = view.documents.map((one) => make("option", { value: one.id }, plain(one.title)));
    selector.replaceChildren(...options);
    selector.value = current;
    region.classList.toggle("qa-several", view.documents.length > 1);
  }
  reconcile(uploads, view.uploads, report);
  if (view.show) {
    current = "";
    await open(view.show);
  } else if (!current && view.documents.length) await open(view.documents[0].id);
  if (!view.documents.length) body.replaceChildren(make("p", { class: "qa-aside" }, WORDS.empty));
  const marks = JSON.stringify([view.considered, view.chosen]);
  if (marks === lit) return;
  lit = marks;
  light();
  const first = view.chosen[0] || view.considered[0];
  if (!first || shown) return;
  if (!(await open(first.document))) return;
  light();
  // Only the panel moves, not the page: on a phone the answer stays in view.
  const span = spans.get(key(first));
  if (span && view.chosen.length) {
    const box = body.getBoundingClientRect();
    const line = span.getBoundingClientRect();
    if (line.top < box.top || line.bottom > box.bottom) {
      body.scrollTo({ top: body.scrollTop + line.top - box.top - box.height / 3, behavior: scrolling() });
    }
  }
}

selector.addEventListener("change", () => {
  clear();
  open(selector.value);
});
back.addEventListener("click", goBack);
document.addEventListener("qa-cite", (event) => point(event.detail.citation, event.detail.from));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shown) goBack();
});
show();
watch("value", show);
