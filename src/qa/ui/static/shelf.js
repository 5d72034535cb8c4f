// The list of documents: which are asked, what is known of each, and how one is opened or taken out.
const shelf = {
  books: [],
  leftOut: new Set(), // of those that are there
  unticked: new Set(preferences.list("left-out")), // what the person chose; it outlives a reload
  asking: "", // the document whose removal is being confirmed
  filter: "",
  changed: null, // called after the list or the choice has changed
  renewed: null, // called when texts may have changed
  list: element.querySelector(".qa-books"),
  all: element.querySelector(".qa-all input"),
  search: element.querySelector(".qa-search"),
  again: element.querySelector(".qa-reindex"),
  said: element.querySelector(".qa-shelf-said"),
};
const MANY_BOOKS = 8; // from here on, the list can be searched

function setBooks(books) {
  shelf.books = books;
  leaveOut();
}

function choose(unticked) {
  shelf.unticked = new Set(unticked);
  preferences.keep("left-out", JSON.stringify([...shelf.unticked]));
  leaveOut();
}

// One document at least is asked.
function leaveOut() {
  const left = shelf.books.map((book) => book.id).filter((id) => shelf.unticked.has(id));
  shelf.leftOut = new Set(left.length === shelf.books.length ? [] : left);
  const asked = shelf.books.map((book) => book.id).filter((id) => !shelf.leftOut.has(id));
  qaPage.documents = shelf.leftOut.size ? asked : null; // travels with the next question
  drawShelf();
  shelf.changed();
}

function toggle(id, wanted) {
  const ids = new Set(shelf.leftOut);
  if (wanted) ids.delete(id);
  else ids.add(id);
  if (ids.size === shelf.books.length) {
    shelf.said.textContent = WORDS.one_at_least;
    drawShelf(true);
    return;
  }
  shelf.said.textContent = "";
  choose(ids);
}

function bookNode(item) {
  if (item.asking) return confirmation(item);
  const { book } = item;
  const title = plain(book.title);
  const box = make("input", { type: "checkbox", "aria-label": `${WORDS.ask_document}${COLON}${title}` });
  box.checked = item.asked;
  box.addEventListener("change", () => toggle(book.id, box.checked));
  const opener = make(
    "button",
    { class: "qa-open", type: "button" },
    make("bdi", { class: "qa-book-title" }, book.title),
    make("span", { class: "qa-book-state" }, `${count(book.sentences)} · ${item.asked ? WORDS.ready : WORDS.left_out}`)
  );
  opener.addEventListener("click", () => tabs.choose(book.id));
  const remove = make("button", { class: "qa-remove", type: "button", "aria-label": `${WORDS.remove}${COLON}${title}` }, "✕");
  remove.addEventListener("click", () => confirming(book.id));
  const node = make("li", { class: item.asked ? "qa-book" : "qa-book qa-left-out" }, box, opener, remove);
  for (const notice of book.notices) node.append(make("p", { class: "qa-notice" }, sentenceOf(notice)));
  return node;
}

function confirmation({ book }) {
  const yes = make("button", { class: "qa-yes", type: "button" }, WORDS.remove);
  const no = make("button", { class: "qa-no", type: "button" }, WORDS.cancel);
  yes.addEventListener("click", () => removeBook(book, yes));
  no.addEventListener("click", () => confirming("", book.id));
  const [before, after] = WORDS.remove_question.split("{}");
  const question = make("p", {}, before, make("bdi", {}, book.title), after);
  const label = `${WORDS.remove}${COLON}${plain(book.title)}`;
  const group = make("div", { class: "qa-confirm", role: "group", "aria-label": label }, question, yes, no);
  return make("li", { class: "qa-book qa-confirming" }, group);
}

// Ask about a removal, or (with "") no longer; the keyboard's focus follows.
function confirming(id, before = "") {
  shelf.asking = id;
  drawShelf();
  const place = shelf.books.findIndex((book) => book.id === (id || before));
  const row = shelf.list.children[visibleBooks().indexOf(shelf.books[place])];
  row?.querySelector(id ? ".qa-no" : ".qa-remove")?.focus();
}

async function removeBook(book, button) {
  button.disabled = true;
  try {
    const told = await call("remove_document", book.id);
    shelf.said.textContent = told.done ? `${WORDS.removed}${COLON}${plain(book.title)}` : inWords(told.message) || WORDS.panel_failed;
  } catch {
    shelf.said.textContent = WORDS.lost;
  }
  shelf.asking = "";
  await refresh();
  (shelf.list.querySelector(".qa-open") ?? element.querySelector(".qa-file"))?.focus();
}

async function reindex() {
  shelf.again.disabled = true;
  shelf.again.setAttribute("aria-busy", "true");
  shelf.said.textContent = WORDS.reindexing;
  try {
    const told = await call("reindex", null);
    shelf.said.replaceChildren(...(told.done ? reported(told) : [inWords(told.message) || WORDS.panel_failed]));
  } catch {
    shelf.said.textContent = WORDS.lost;
  }
  shelf.again.disabled = false;
  shelf.again.removeAttribute("aria-busy");
  shelf.renewed();
  await refresh();
}

function reported(told) {
  const parts = ["added", "updated", "removed"]
    .filter((what) => told[what])
    .map((what) => `${told[what]} ${WORDS[`files_${what}`]}`);
  const lines = [make("span", {}, parts.join(", ") || WORDS.unchanged)];
  for (const one of told.failed) {
    lines.push(make("p", { class: "qa-error" }, make("bdi", {}, one.name), COLON, inWords(one.message)));
  }
  return lines;
}

const count = (sentences) => `${sentences.toLocaleString(LANGUAGE)} ${sentences === 1 ? WORDS.sentence : WORDS.sentences}`;

function visibleBooks() {
  const wanted = fold(shelf.filter);
  return shelf.books.filter((book) => fold(book.title).includes(wanted) || fold(book.id).includes(wanted));
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function drawShelf(anew = false) {
  if (anew) shelf.list.replaceChildren();
  const items = visibleBooks().map((book) => ({
    book,
    asked: !shelf.leftOut.has(book.id),
    asking: book.id === shelf.asking,
  }));
  const focused = document.activeElement?.closest?.(".qa-book") && document.activeElement.getAttribute("aria-label");
  reconcile(shelf.list, items, bookNode);
  if (focused) shelf.list.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  element.querySelector(".qa-all").hidden = shelf.books.length < 2;
  shelf.search.hidden = shelf.books.length < MANY_BOOKS;
  shelf.all.checked = shelf.leftOut.size === 0;
  shelf.all.indeterminate = shelf.leftOut.size > 0;
}

let listings = 0; // counts requests: the answer to a later one wins over a slow earlier one
async function refresh() {
  const turn = ++listings;
  try {
    const books = await call("list_documents", null);
    if (turn !== listings) return;
    const before = JSON.stringify(shelf.books);
    setBooks(books);
    if (JSON.stringify(shelf.books) !== before) trigger("shelf");
  } catch {
    shelf.said.textContent = WORDS.lost;
  }
}

element.querySelector(".qa-all span").textContent = WORDS.all_documents;
shelf.all.addEventListener("change", () => {
  // Unticked, it leaves the document on show: one at least is asked.
  const kept = shelf.books.find((book) => book.id === tabs.opened.at(-1)) ?? shelf.books[0];
  choose(shelf.all.checked ? [] : shelf.books.filter((book) => book !== kept).map((book) => book.id));
});
shelf.search.setAttribute("aria-label", WORDS.search_documents);
shelf.search.placeholder = WORDS.search_documents;
shelf.search.addEventListener("input", () => {
  shelf.filter = shelf.search.value;
  drawShelf();
});
shelf.again.textContent = WORDS.reindex;
shelf.again.addEventListener("click", reindex);
