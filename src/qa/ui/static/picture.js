// The picture of a PDF's page beside its text, with a frame around the sentence on show.
const picture = {
  on: false,
  id: "",
  page: 0,
  pages: 0,
  citation: null, // the sentence that is framed
  turn: 0, // counts requests: a later page wins over a slow earlier one
  box: element.querySelector(".qa-picture"),
  sheet: element.querySelector(".qa-page-sheet"),
  image: make("img", { class: "qa-page-image", alt: "" }),
  label: element.querySelector(".qa-page-number"),
  before: element.querySelector(".qa-page-before"),
  after: element.querySelector(".qa-page-after"),
  problem: element.querySelector(".qa-page-problem"),
  toggle: element.querySelector(".qa-picture-toggle"),
};

// Follow what the panel shows: `drawn` is the document, `citation` the sentence that is highlighted, if one is.
function followPicture(drawn, citation = null) {
  picture.toggle.hidden = !drawn?.pages;
  const visible = picture.on && Boolean(drawn?.pages);
  picture.box.hidden = !visible;
  picture.toggle.setAttribute("aria-pressed", String(visible));
  picture.id = drawn?.id ?? "";
  picture.pages = drawn?.pages ?? 0;
  picture.citation = citation;
  if (visible) showPage(citation?.page ?? pageInView(drawn));
}

function pageInView(drawn) {
  const top = element.querySelector(".qa-document").getBoundingClientRect().top;
  const first = drawn.paragraphs.find((one) => one.onPage && one.getBoundingClientRect().bottom > top);
  return first?.onPage ?? 1;
}

async function showPage(page) {
  const turn = ++picture.turn;
  picture.page = Math.min(Math.max(page, 1), picture.pages);
  picture.label.textContent = `${WORDS.page} ${picture.page} / ${picture.pages}`;
  picture.before.disabled = picture.page === 1;
  picture.after.disabled = picture.page === picture.pages;
  const { id, citation } = picture;
  let told;
  let framed = { done: true, boxes: [] };
  try {
    [told, framed] = await Promise.all([
      call("page_picture", { id, page: picture.page }),
      citation ? call("sentence_boxes", { id, start: citation.start, end: citation.end }) : framed,
    ]);
  } catch {
    told = { done: false, message: { [LANGUAGE]: WORDS.lost } };
  }
  if (turn !== picture.turn) return;
  picture.problem.textContent = told.done ? "" : inWords(told.message) || WORDS.no_picture;
  picture.sheet.hidden = !told.done;
  if (!told.done) return;
  picture.image.src = told.source;
  picture.image.alt = plain(`${WORDS.page_of} ${picture.page}, ${titleOf(id)}`);
  const frames = (framed.boxes ?? []).filter((box) => box.page === picture.page).map(frameNode);
  picture.sheet.replaceChildren(picture.image, ...frames);
  await picture.image.decode().catch(() => {});
  frames[0]?.scrollIntoView({ behavior: scrolling(), block: "center" });
}

function frameNode({ edges }) {
  const [left, top, right, bottom] = edges.map((share) => Math.min(Math.max(share, 0), 1) * 100);
  const node = make("span", { class: "qa-frame", "aria-hidden": "true" });
  Object.assign(node.style, {
    left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
  });
  return node;
}

picture.toggle.textContent = WORDS.page_picture;
picture.before.setAttribute("aria-label", WORDS.page_before);
picture.after.setAttribute("aria-label", WORDS.page_after);
picture.before.addEventListener("click", () => showPage(picture.page - 1));
picture.after.addEventListener("click", () => showPage(picture.page + 1));
