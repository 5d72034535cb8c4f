// What a person can do with an answer: copy it, judge it, ask again; and edit the last question.
let editing = 0; // the key of the question that is being edited
const again = (question, replaces) => trigger("again", { ...qaPage.now(), question, replaces });

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // An address that is not this machine's has no clipboard; the older way works there.
    const area = make("textarea", { class: "qa-hidden", "aria-hidden": "true" });
    area.value = text;
    element.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function confidence(sure) {
  const note = make("span", { class: `qa-confidence ${sure.level}`, tabindex: "0", title: percent(sure.value) });
  note.append(WORDS[`confidence_${sure.level}`], make("span", { class: "qa-hidden" }, ` (${percent(sure.value)})`));
  return note;
}

function judge(item, verdict) {
  const label = WORDS[verdict];
  return iconButton(verdict, label, (button) => {
    const taken = button.getAttribute("aria-pressed") === "true";
    trigger("judge", { conversation: current.conversation, key: item.key, verdict: taken ? "" : verdict });
  }, { "data-verdict": verdict, "aria-pressed": "false" });
}

function actions(item) {
  const bar = make("div", { class: "qa-actions" });
  if (item.running) return bar;
  if (item.confidence) bar.append(confidence(item.confidence));
  const tools = make("div", { class: "qa-tools" });
  const broken = item.state !== "done" || item.unfinished;
  if (item.copy) {
    tools.append(iconButton("copy", WORDS.copy, async () => say((await copy(item.copy)) ? WORDS.copied : WORDS.not_copied)));
  }
  if (item.state === "done" && item.kind !== "small talk") tools.append(judge(item, "up"), judge(item, "down"));
  if (item.last) tools.append(iconButton("edit", WORDS.edit, () => edit(item.key)));
  const retry = () => again(item.question, item.key);
  if (item.last && !broken) tools.append(iconButton("retry", WORDS.retry, retry));
  if (item.last && broken) bar.append(textButton(WORDS.retry, retry, { class: "qa-button qa-retry" }));
  bar.append(tools);
  return bar;
}

// The question as it was asked, or the form to edit it.
function question(item) {
  if (item.editing) return form(item);
  return make("p", { class: "qa-question", dir: "auto" },
    make("span", { class: "qa-hidden" }, `${WORDS.you}${COLON}`), make("bdi", {}, item.question));
}

function form(item) {
  const area = make("textarea", { "aria-label": WORDS.edit, rows: "2", dir: "auto" });
  area.value = item.question;
  const send = () => {
    if (!area.value.trim()) return;
    editing = 0;
    again(area.value, item.key);
  };
  const node = make("form", { class: "qa-edit" }, area, make("div", { class: "qa-edit-buttons" },
    textButton(WORDS.cancel, () => edit(0)), make("button", { class: "qa-button qa-main", type: "submit" }, WORDS.ask_edited)));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      edit(0);
    }
  });
  return node;
}

function edit(key) {
  editing = key;
  show();
  if (key) LIST.querySelector(".qa-edit textarea")?.focus();
  else LIST.querySelector(".qa-exchange:last-child .qa-tool-edit")?.focus();
}
