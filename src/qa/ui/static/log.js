// The chat log: questions, answers with markers, and the model in use.
const turns = element.querySelector(".qa-turns");
const model = element.querySelector(".qa-model");
const notes = element.querySelector(".qa-notes");
const START = make("div", { class: "qa-start" });
const LIST = make("div", { class: "qa-exchanges" });
turns.append(START, LIST);
turns.setAttribute("aria-label", WORDS.log);

const cite = (citation, from) =>
  document.dispatchEvent(new CustomEvent("qa-cite", { detail: { citation, from } }));

function source(citation) {
  const page = citation.page === null ? "" : `, ${WORDS.page} ${citation.page}`;
  return plain(`${citation.title}${page} : « ${citation.text} »`);
}

function marker(citation, support) {
  const link = make(
    "a",
    { class: `cite ${support}`, href: "#", title: source(citation) },
    `[${citation.number}]`
  );
  link.addEventListener("click", (event) => {
    event.preventDefault();
    cite(citation, link);
  });
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

function quote(citation) {
  const page = citation.page === null ? "" : `, ${WORDS.page} ${citation.page}`;
  const button = make(
    "button",
    { class: "qa-quote", type: "button" },
    make("span", { class: "qa-quoted" }, citation.text),
    make("span", { class: "qa-source" }, citation.title + page)
  );
  button.addEventListener("click", () => cite(citation, button));
  return make("li", {}, button);
}

function status(item) {
  if (item.state === "failed") return make("p", { class: "qa-error" }, item.error || WORDS.failed);
  if (item.state === "stopped") return make("p", { class: "qa-aside" }, WORDS.stopped);
  if (item.state === "thinking") return make("p", { class: "qa-aside qa-wait" }, WORDS.thinking);
  if (item.state === "writing" && !item.draft && !item.statements.length) {
    return make("p", { class: "qa-aside qa-wait" }, WORDS.writing);
  }
  return "";
}

function frame() {
  return make(
    "article",
    { class: "qa-exchange" },
    make("p", { class: "qa-question", dir: "auto" }),
    make("p", { class: "qa-asked" }),
    make("div", { class: "qa-answer", dir: "auto" },
      make("span", { class: "qa-statements" }), make("span", { class: "qa-draft" })),
    make("div", { class: "qa-after" })
  );
}

function exchange(item, old) {
  const node = old || frame();
  node.dataset.state = item.state;
  const [question, asked, answer, after] = node.children;
  reconcile(question, [item.question], (text) =>
    make("span", {}, make("span", { class: "qa-hidden" }, `${WORDS.you} : `), make("bdi", {}, text))
  );
  asked.replaceChildren();
  if (item.asked) asked.append(`${WORDS.asked} `, make("bdi", {}, item.asked));
  reconcile(answer.firstElementChild, item.statements, statement);
  answer.lastElementChild.textContent = item.draft || item.text;
  // The wording is drawn by itself: what follows it must not be drawn anew with every word.
  const begun = Boolean(item.draft || item.statements.length);
  reconcile(after, [{ ...item, draft: "", statements: [], begun }], () => {
    const rest = make("div", {}, status(item));
    if (item.nearest.length) {
      rest.append(make("p", { class: "qa-aside" }, WORDS.nearest));
      rest.append(make("ul", { class: "qa-nearest" }, ...item.nearest.map(quote)));
    }
    for (const notice of item.notices) rest.append(make("p", { class: "qa-notice" }, notice));
    return rest;
  });
  return node;
}

function example(question) {
  const button = make("button", { class: "qa-example", type: "button" }, question);
  button.addEventListener("click", () => trigger("example", { question }));
  return make("li", {}, button);
}

function start(view) {
  const questions = view.examples[LANGUAGE] || [];
  if (view.exchanges.length) return [];
  const parts = [make("p", { class: "qa-welcome" }, view.documents ? WORDS.welcome : WORDS.no_documents)];
  if (questions.length) {
    parts.push(make("p", { class: "qa-aside" }, WORDS.examples));
    parts.push(make("ul", { class: "qa-examples" }, ...questions.map(example)));
  }
  return parts;
}

let busy = false;
function show() {
  const view = props.value;
  const low = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 80;
  const asked = view.exchanges.length > LIST.children.length;
  START.replaceChildren(...start(view));
  reconcile(LIST, view.exchanges, exchange);
  turns.setAttribute("aria-busy", String(view.busy));
  if (busy && !view.busy && document.activeElement === document.body) {
    document.querySelector("#qa-question textarea")?.focus();
  }
  busy = view.busy;
  document.documentElement.classList.toggle("qa-busy", busy);
  if (low || asked) turns.scrollTop = turns.scrollHeight;
}

let misses = 0;
async function poll() {
  let pause = 5000;
  try {
    const now = await server.status(null);
    misses = 0;
    model.classList.toggle("qa-wait", now.state === "warming");
    model.replaceChildren(make("span", { class: "qa-hidden" }, `${WORDS.model} : `), now.backend);
    if (now.state === "warming") {
      if (now.message) model.append(` — ${now.message}`);
      pause = 500;
    }
    const lines = now.state === "failed" ? [now.message, ...now.notices] : now.notices;
    reconcile(notes, lines, (line) => make("p", { class: "qa-notice" }, line));
  } catch {
    misses += 1;
    if (misses > 1) reconcile(notes, [WORDS.lost], (line) => make("p", { class: "qa-error" }, line));
  }
  if (element.isConnected) setTimeout(poll, pause);
}

show();
watch("value", show);
poll();
