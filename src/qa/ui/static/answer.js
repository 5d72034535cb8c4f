// The wording of an answer: statements with their markers, quotations to click.
const cite = (citation, from) =>
  document.dispatchEvent(new CustomEvent("qa-cite", { detail: { citation, from } }));

function marker(citation, support) {
  const name = `[${citation.number}] ${WORDS.source}${COLON}${plain(where(citation))}, ${WORDS[support]}`;
  const link = make("a", { class: `cite ${support}`, href: "#", "aria-label": name }, `[${citation.number}]`);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    cite(citation, link);
  });
  attachCard(link, citation, support);
  return link;
}

function statement(item) {
  const node = make("span", { class: `qa-statement ${item.support}` });
  node.append(make("span", { class: "qa-text" }, item.text));
  for (const citation of item.citations) node.append("\u00a0", marker(citation, item.support));
  const hidden = item.support === "supported" ? " qa-hidden" : "";
  node.append(" ", make("span", { class: `qa-support${hidden}` }, WORDS[item.support]), " ");
  return node;
}

function quote(citation, ...more) {
  const button = make(
    "button",
    { class: "qa-quote", type: "button" },
    make("span", { class: "qa-quoted", dir: "auto" }, citation.text),
    make("span", { class: "qa-source" }, where(citation), ...more)
  );
  button.addEventListener("click", () => cite(citation, button));
  return make("li", {}, button);
}

// What a model that died had written: above the sentences that prove the answer, and called what it is.
function unfinished(text) {
  return make("div", { class: "qa-unfinished" },
    make("p", { class: "qa-cut" }, WORDS.unfinished),
    make("p", { class: "qa-unfinished-words", dir: "auto" }, make("span", { class: "qa-text" }, text)));
}

// What is below the wording: how it ended, the nearest sentences, what the person should know.
function rest(item) {
  const node = make("div", {}, ending(item));
  if (item.nearest.length) {
    node.append(make("p", { class: "qa-aside" }, WORDS.nearest));
    node.append(make("ul", { class: "qa-nearest" }, ...item.nearest.map((one) => quote(one))));
  }
  for (const notice of item.notices) node.append(make("p", { class: "qa-notice" }, sentenceOf(notice)));
  return node;
}

function ending(item) {
  if (item.state === "failed") {
    const cut = item.begun ? [make("strong", { class: "qa-cut" }, WORDS.incomplete), " "] : [];
    return make("p", { class: "qa-error" }, ...cut, make("bdi", {}, sentenceOf(item.error) || WORDS.failed));
  }
  if (item.state === "stopped") return make("p", { class: "qa-aside qa-cut" }, WORDS.stopped);
  if (item.state === "thinking") return make("p", { class: "qa-aside qa-wait" }, WORDS.thinking);
  if (item.state === "writing" && !item.begun) {
    return make("p", { class: "qa-aside qa-wait" }, WORDS.writing);
  }
  return "";
}
