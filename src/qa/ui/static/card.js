// The card at a marker: the quotation, where it stands, and how well it supports the statement.
const card = make("div", { class: "qa-card", id: "qa-card", role: "tooltip", hidden: true });
element.append(card);
let carded = null; // the marker that the card is shown for
let cardTimer = 0;

function where(citation) {
  return citation.page === null ? citation.title : `${citation.title}, ${WORDS.page} ${citation.page}`;
}

function hideCard() {
  clearTimeout(cardTimer);
  card.hidden = true;
  carded?.removeAttribute("aria-describedby");
  carded = null;
}

function showCard(link, citation, support) {
  hideCard();
  carded = link;
  card.replaceChildren(
    make("p", { class: `qa-card-support ${support}` }, WORDS[support]),
    make("blockquote", { class: "qa-quoted", dir: "auto" }, citation.text),
    make("p", { class: "qa-source" }, where(citation))
  );
  card.hidden = false;
  link.setAttribute("aria-describedby", "qa-card");
  const at = link.getBoundingClientRect();
  const above = at.top - card.offsetHeight - 8;
  card.style.left = `${Math.max(8, Math.min(at.left - 12, innerWidth - card.offsetWidth - 8))}px`;
  card.style.top = `${above >= 8 ? above : at.bottom + 8}px`;
}

// The pointer may go from the marker to the card, to read on or to select.
function attachCard(link, citation, support) {
  const soon = (act, wait_ms) => {
    clearTimeout(cardTimer);
    cardTimer = setTimeout(act, wait_ms);
  };
  link.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "touch") soon(() => showCard(link, citation, support), 80);
  });
  link.addEventListener("pointerleave", () => soon(hideCard, 200));
  link.addEventListener("focus", () => {
    if (link.matches(":focus-visible")) showCard(link, citation, support);
  });
  link.addEventListener("blur", hideCard);
  link.addEventListener("click", hideCard);
}
card.addEventListener("pointerenter", () => clearTimeout(cardTimer));
card.addEventListener("pointerleave", hideCard);
addEventListener("scroll", () => carded && hideCard(), true);
document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || card.hidden) return;
    hideCard();
    event.stopImmediatePropagation(); // the next Escape is for the document panel
  },
  true
);
