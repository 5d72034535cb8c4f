// A document as the panel draws it: its whole text, in sheets of which the browser lays out those in view
// (`content-visibility`), so that a long text scrolls like a short one and can still be searched and selected.
const SHEET_CHARS = 6000;

const nameOf = (pointer) => `${pointer.start}:${pointer.end}`;

function pieceNode(item, spans) {
  if (typeof item === "string") return item;
  const [start, end, text] = item;
  const span = make("span", { class: "qa-sentence" }, text);
  spans.set(nameOf({ start, end }), span);
  return span;
}

function paragraphNode(item, spans) {
  const node = make(
    "div",
    item.heading
      ? { class: "qa-paragraph qa-heading", role: "heading", "aria-level": "3", dir: "auto" }
      : { class: "qa-paragraph", dir: "auto" },
    ...item.pieces.map((piece) => pieceNode(piece, spans))
  );
  if (item.gap.split("\n").length > 2) node.classList.add("qa-apart");
  if (item.gap) node.append(make("span", { hidden: true }, item.gap)); // the panel holds the whole text
  node.startsAt = item.start;
  node.onPage = item.page;
  return node;
}

// Return a document drawn, not yet on the page: its element, and its sentences by their places.
function draw(text) {
  const spans = new Map();
  const paragraphs = [];
  const root = make("div", { class: "qa-text-of" });
  let sheet = null;
  let chars = SHEET_CHARS;
  let page = null;
  for (const item of text.paragraphs) {
    if (chars >= SHEET_CHARS) {
      sheet = make("div", { class: "qa-leaf" });
      root.append(sheet);
      chars = 0;
    }
    const node = paragraphNode(item, spans);
    if (item.page !== null && item.page !== page) node.dataset.page = `${WORDS.page} ${item.page}`;
    page = item.page;
    chars += node.textContent.length + 60;
    // What a sheet measures until it is laid out: about 75 characters a line.
    sheet.style.containIntrinsicBlockSize = `auto ${Math.ceil((chars / 75) * 1.8)}rem`;
    sheet.append(node);
    paragraphs.push(node);
  }
  if (text.error) root.append(make("p", { class: "qa-error" }, inWords(text.error)));
  const { id, title, pages } = text;
  return { id, title, pages, text, root, spans, paragraphs, top: 0, torn: false };
}

// A citation that is not one whole sentence: give exactly its characters an element of their own.
function tear(drawn, citation) {
  const range = document.createRange();
  let begun = false;
  for (const paragraph of drawn.paragraphs) {
    let at = paragraph.startsAt; // counts code points, as the server does
    if (!begun && citation.start >= at + paragraph.textContent.length) continue;
    const walker = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const leaf = walker.currentNode;
      const letters = Array.from(leaf.data);
      const unit = (position) => letters.slice(0, position - at).join("").length;
      if (!begun && citation.start < at + letters.length) {
        range.setStart(leaf, unit(citation.start));
        begun = true;
      }
      if (begun && citation.end <= at + letters.length) {
        range.setEnd(leaf, unit(citation.end));
        return cutOut(drawn, range, citation.text);
      }
      at += letters.length;
    }
  }
  return null;
}

function cutOut(drawn, range, text) {
  if (range.toString() !== text) return null;
  const mark = make("span", { class: "qa-sentence" }, text);
  range.deleteContents();
  range.insertNode(mark);
  drawn.torn = true;
  return mark;
}

// Bring an element into the middle of what scrolls it; far away, at once: nobody waits for the way there.
function centre(target, scroller) {
  const box = scroller.getBoundingClientRect();
  const line = target.getBoundingClientRect();
  const far = Math.abs(line.top - box.top) > 2 * box.height;
  target.scrollIntoView({ behavior: far ? "instant" : scrolling(), block: "center" });
}
