// The chat log: the conversation on show, drawn from the value that the server sends.
const turns = element.querySelector(".qa-turns");
const toast = element.querySelector(".qa-toast");
const TROUBLE = make("div", {});
const START = make("div", { class: "qa-start" });
const LIST = make("div", { class: "qa-exchanges" });
turns.append(TROUBLE, START, LIST);
turns.setAttribute("aria-label", WORDS.log);

let toastTimer = 0;
function say(line) {
  toast.textContent = line;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.textContent = ""), 4000);
}

function frame(item) {
  return make(
    "article",
    { class: "qa-exchange", "data-key": item.key },
    make("div", { class: "qa-asking" }),
    make("p", { class: "qa-asked" }),
    make("div", { class: "qa-before" }),
    make("div", { class: "qa-answer", dir: "auto" },
      make("span", { class: "qa-statements" }), make("span", { class: "qa-draft" })),
    make("div", { class: "qa-after" }),
    make("div", { class: "qa-foot" }),
    make("div", { class: "qa-reasons" })
  );
}

function exchange(item, old) {
  const node = old && old.dataset.key === String(item.key) ? old : frame(item);
  node.dataset.state = item.state;
  node.dataset.kind = item.kind;
  const [asking, asked, before, answer, after, foot, why] = node.children;
  const running = item.state === "thinking" || item.state === "writing";
  const { key, verdict } = item;
  reconcile(asking, [{ key, question: item.question, editing: item.editing }], question);
  asked.replaceChildren();
  if (item.asked) asked.append(`${WORDS.asked} `, make("bdi", {}, item.asked));
  reconcile(before, item.unfinished ? [item.unfinished] : [], unfinished);
  reconcile(answer.firstElementChild, item.statements, statement);
  answer.lastElementChild.textContent = item.draft || item.text;
  const { state, error, nearest, notices } = item;
  const begun = Boolean(item.draft || item.statements.length);
  // The wording is drawn by itself: what follows it must not be drawn anew with every word.
  reconcile(after, [{ state, error, nearest, notices, begun }], rest);
  reconcile(foot, [{ ...item, statements: [], draft: "", notices: [], verdict: "", running }], actions);
  for (const button of foot.querySelectorAll("[data-verdict]")) {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
  }
  reconcile(why, state === "done" && item.kind !== "small talk" ? [{ key }] : [], fold);
  return node;
}

function example(question) {
  const button = make("button", { class: "qa-example", type: "button" }, question);
  button.addEventListener("click", () => again(question, 0));
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

let current = props.value; // what is on show
let busy = false;
let follow = 0;
function show() {
  const view = current;
  const low = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 80;
  const latest = String(view.exchanges.at(-1)?.key);
  const asked = latest !== LIST.lastElementChild?.dataset.key;
  const troubles = [view.gone ? WORDS.gone : "", sentenceOf(view.trouble)].filter(Boolean);
  reconcile(TROUBLE, troubles, (line) => make("p", { class: "qa-error", role: "alert" }, line));
  START.replaceChildren(...start(view));
  reconcile(LIST, view.exchanges.map((one) => ({ ...one, editing: one.key === editing })), exchange);
  turns.setAttribute("aria-busy", String(view.busy));
  if (busy && !view.busy && document.activeElement === document.body) {
    document.querySelector("#qa-question textarea")?.focus();
  }
  if (busy && !view.busy) document.dispatchEvent(new CustomEvent("qa-ended"));
  busy = view.busy;
  document.documentElement.classList.toggle("qa-busy", busy);
  if (low || asked) turns.scrollTop = turns.scrollHeight;
  // Another page asked: look at it again until its answer has ended.
  clearTimeout(follow);
  if (view.follow) follow = setTimeout(refresh, 1000);
}

// Open a conversation, an empty id a new one. What was sent of the one before may arrive later, and
// even take the place of the answer to this: then it is asked for again.
let wanted = null;
let patience = 0;
function open(conversation) {
  wanted = conversation;
  trigger("open", { conversation });
}
const refresh = () => open(qaPage.conversation());
document.addEventListener("qa-open", (event) => open(event.detail));

function arrive() {
  if (props.value.sent < current.sent) return; // overtaken on the way
  clearTimeout(patience);
  if (wanted !== null && props.value.opened <= current.opened) {
    patience = setTimeout(() => open(wanted), 500);
    return;
  }
  wanted = null;
  current = props.value;
  qaPage.show(current.conversation, current.gone);
  show();
}
// Another tab may have gone on with this conversation, or changed the list.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !busy) refresh();
});
addEventListener("popstate", refresh);
show();
watch("value", arrive);
