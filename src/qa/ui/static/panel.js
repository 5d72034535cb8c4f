// The document panel: which document is on show, the sentences that light up, the one that a marker points at.
const region = element.querySelector(".qa-panel");
const reader = element.querySelector(".qa-reader");
const body = element.querySelector(".qa-document");
const back = element.querySelector(".qa-back");
const changed = element.querySelector(".qa-changed");
const said = element.querySelector(".qa-said");
const closer = element.querySelector(".qa-close");
const sheet = element.querySelector(".qa-sheet-toggle");

const drawings = new Map(); // document id → the document drawn (a promise)
let current = null; // the document on show, drawn
let wanted = 0; // counts requests to show something: a later one wins over a slow earlier one
let origin = null; // the marker that was clicked
let shown = null; // { target, citation }: the element that carries aria-current
let lightened = []; // the elements that are lit up

const titleOf = (id) => shelf.books.find((book) => book.id === id)?.title ?? id;

function read(id) {
  if (!drawings.has(id)) {
    const drawing = call("read_document", id).then((text) => draw(JSON.parse(text)));
    drawing.catch(() => drawings.delete(id));
    drawings.set(id, drawing);
  }
  return drawings.get(id);
}

// Show a document (or, with "", the list) in its tab; false if something else was asked for meanwhile.
async function open(id) {
  const turn = ++wanted;
  let drawn = null;
  if (id) {
    try {
      drawn = await read(id);
    } catch {
      drawn = draw({ id, title: titleOf(id), paragraphs: [], pages: 0, error: { [LANGUAGE]: WORDS.lost } });
    }
    if (turn !== wanted) return false;
    if (!tabs.opened.includes(id)) tabs.opened.push(id);
  }
  const moved = current !== drawn;
  if (current && !reader.hidden) current.top = body.scrollTop;
  tabs.current = id;
  element.querySelector("#qa-shelf").hidden = Boolean(id);
  reader.hidden = !id;
  if (drawn && moved) put(drawn);
  else current = drawn;
  label();
  if (moved) followPicture(drawn);
  return true;
}

function label() {
  const id = tabs.current;
  const title = current?.title ?? "";
  const sentences = shelf.books.find((book) => book.id === id)?.sentences;
  const heading = element.querySelector(".qa-panel-title");
  heading.textContent = title;
  heading.title = plain(title); // a long one is cut after two lines
  element.querySelector(".qa-count").textContent = sentences === undefined ? "" : count(sentences);
  region.setAttribute("aria-label", id ? plain(`${WORDS.document}${COLON}${title}`) : WORDS.documents);
  closer.setAttribute("aria-label", plain(`${WORDS.close_document}${COLON}${title}`));
  const chosen = shelf.books.length - shelf.leftOut.size;
  const badge = shelf.leftOut.size ? `${chosen}/${shelf.books.length}` : String(shelf.books.length || "");
  drawTabs(new Map(shelf.books.map((book) => [book.id, book.title])), badge);
}

// Light up the sentences of the latest question that are in the document on show.
function light() {
  for (const span of lightened) span.classList.remove("qa-considered", "qa-chosen");
  lightened = [];
  for (const name of ["considered", "chosen"]) {
    for (const pointer of props.value[name]) {
      const span = pointer.document === current?.id && current.spans.get(nameOf(pointer));
      if (span?.textContent !== pointer.text) continue;
      span.classList.add(`qa-${name}`);
      lightened.push(span);
    }
  }
}

// Whether the text on show is not the one that the latest answer was found in.
function isOld(view) {
  const here = [...view.considered, ...view.chosen].filter((pointer) => pointer.document === current?.id);
  return here.some((pointer) => current.spans.get(nameOf(pointer))?.textContent !== pointer.text);
}

function clear() {
  back.hidden = true;
  changed.hidden = true;
  said.textContent = "";
  origin?.classList.remove("qa-active");
  shown?.target.removeAttribute("aria-current");
  shown = null;
  if (current?.torn) put(Object.assign(draw(current.text), { top: body.scrollTop }));
}

function put(drawn) {
  drawings.set(drawn.id, Promise.resolve(drawn));
  current = drawn;
  body.replaceChildren(drawn.root);
  body.scrollTop = drawn.top;
  light();
}

function placeOf(citation) {
  const span = current.spans.get(nameOf(citation));
  return span && span.textContent === citation.text ? span : tear(current, citation);
}

async function point(citation, from) {
  clear();
  if (!(await open(citation.document))) return;
  let target = placeOf(citation);
  if (target === null) { // the text on show may be older than the answer
    drawings.delete(citation.document);
    if (!(await open(citation.document))) return;
    target = placeOf(citation);
  }
  origin = from;
  origin.classList.add("qa-active");
  back.hidden = false;
  openSheet(true);
  if (target === null) {
    changed.hidden = false;
    return;
  }
  target.setAttribute("aria-current", "true");
  shown = { target, citation };
  said.textContent = plain(`${WORDS.shown}${COLON}${current.title}`);
  centre(target, body);
  followPicture(current, citation);
}

function goBack() {
  const marker = origin;
  clear();
  openSheet(false);
  if (current) followPicture(current);
  if (marker && marker.isConnected) {
    marker.focus({ preventScroll: true });
    marker.scrollIntoView({ behavior: scrolling(), block: "nearest" });
  }
}

// On a phone the panel is a sheet that covers part of the conversation; elsewhere this changes nothing to see.
function openSheet(wide) {
  document.documentElement.classList.toggle("qa-sheet-open", wide);
  sheet.setAttribute("aria-expanded", String(wide));
  sheet.setAttribute("aria-label", wide ? WORDS.hide_documents : WORDS.show_documents);
}

// Open the first document, or the list where there is none.
async function begin() {
  if (reader.hidden && element.querySelector("#qa-shelf").hidden) await open(shelf.books[0]?.id ?? "");
}

let lit = "";
let opened = 0;
let sent = 0;
let questions = 0;
async function show() {
  const view = props.value;
  if (view.sent < sent) return; // overtaken on the way
  sent = view.sent;
  if (view.asked !== questions) {
    questions = view.asked;
    clear();
  }
  if (opened && view.opened > opened) await refresh().then(begin); // others may have changed the list
  opened = view.opened;
  const marks = JSON.stringify([view.considered, view.chosen]);
  if (marks === lit) return;
  lit = marks;
  if (isOld(view)) {
    drawings.delete(current.id);
    await open(current.id);
  }
  light();
  const first = view.chosen[0] || view.considered[0];
  if (!first || shown || !(await open(first.document))) return;
  const span = current.spans.get(nameOf(first));
  if (!span || !view.chosen.length) return;
  const box = body.getBoundingClientRect();
  const line = span.getBoundingClientRect();
  if (line.top < box.top || line.bottom > box.bottom) centre(span, body);
}

shelf.changed = () => {
  const known = new Set(shelf.books.map((book) => book.id));
  const gone = [...drawings.keys()].filter((id) => !known.has(id));
  for (const id of gone) drawings.delete(id);
  tabs.opened = tabs.opened.filter((id) => known.has(id));
  if (tabs.current && !known.has(tabs.current)) open("");
  else label();
  const words = shelf.books.length ? WORDS.drop_hint : WORDS.no_documents;
  element.querySelector(".qa-drop-hint").textContent = `${words} ${props.suffixes.join(" ")}`;
};
shelf.renewed = () => {
  clear();
  drawings.clear();
  if (tabs.current) open(tabs.current);
};
tabs.choose = (id) => {
  if (id !== tabs.current) clear();
  return open(id);
};
tray.added = (id) => {
  clear();
  drawings.delete(id); // a document of this name may have been there
  if (shelf.leftOut.has(id)) toggle(id, true); // who sends a file wants to ask it
  open(id);
};

element.querySelector(".qa-choose-files").textContent = WORDS.upload;
element.querySelector(".qa-plus").setAttribute("aria-label", WORDS.upload);
element.querySelector(".qa-overlay").textContent = WORDS.drop_here;
element.querySelector(".qa-tabs").setAttribute("aria-label", WORDS.documents);
tray.box.setAttribute("aria-label", WORDS.uploads);
body.setAttribute("aria-label", WORDS.text);
back.textContent = WORDS.back;
changed.textContent = WORDS.changed;
back.addEventListener("click", goBack);
closer.addEventListener("click", () => closeTab(tabs.current));
picture.toggle.addEventListener("click", () => {
  picture.on = !picture.on;
  followPicture(current, shown?.citation ?? null);
  if (shown) centre(shown.target, body);
});
sheet.addEventListener("click", () => openSheet(sheet.getAttribute("aria-expanded") !== "true"));
region.addEventListener("focusin", (event) => {
  if (event.target !== sheet) openSheet(true);
});
document.addEventListener("qa-ended", refresh); // others may have changed the list meanwhile
document.addEventListener("qa-cite", (event) => point(event.detail.citation, event.detail.from));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (shelf.asking) confirming("", shelf.asking);
  else if (shown) goBack();
  else openSheet(false);
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && element.isConnected) refresh(); // others may have changed the list
});
openSheet(false);
show();
watch("value", show);
refresh().then(begin); // the first value comes before the server knows the page
