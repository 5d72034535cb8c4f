// The list of conversations: open, begin, rename, export, delete.
const nav = element.querySelector(".qa-talks");
const list = element.querySelector(".qa-talk-list");
const none = element.querySelector(".qa-no-talks");
const saying = element.querySelector(".qa-talks-said");
const dialog = element.querySelector(".qa-dialog");
const root = document.documentElement;
nav.setAttribute("aria-label", WORDS.talks);
none.textContent = WORDS.no_talks;

// Beside the chat where there is room, over it where there is not.
const wide = matchMedia("(min-width: 1400px)");
const opener = iconButton("talks", WORDS.show_talks, () => unfold(!root.classList.contains("qa-talks-open"), true), {
  "aria-expanded": "false",
});
opener.classList.add("qa-talks-opener");
element.append(opener);
function unfold(open, asked) {
  root.classList.toggle("qa-talks-open", open);
  const name = open ? WORDS.hide_talks : WORDS.show_talks;
  for (const [key, value] of [["aria-expanded", String(open)], ["aria-label", name], ["title", name]]) {
    opener.setAttribute(key, value);
  }
  if (asked && open && !wide.matches) nav.querySelector("button")?.focus();
}
unfold(wide.matches, false);
wide.addEventListener("change", () => unfold(wide.matches, false));

function go(conversation) {
  document.dispatchEvent(new CustomEvent("qa-open", { detail: conversation }));
  if (!wide.matches) unfold(false, false);
  if (!conversation) document.querySelector("#qa-question textarea")?.focus();
}
nav.firstElementChild.append(textButton(WORDS.new_talk, () => go(""), { class: "qa-button qa-new" }));
nav.querySelector(".qa-new").prepend(icon("plus"));

function tell(line, wrong = false) {
  saying.classList.toggle("qa-hidden", !wrong); // what went well is seen anyway
  saying.textContent = line;
}

async function save(id, format) {
  let file;
  try {
    file = await call("export", { id, format, language: LANGUAGE });
  } catch {
    tell(WORDS.lost, true);
    return;
  }
  if (file.text === undefined) {
    tell(sentenceOf(file.error) || WORDS.gone, true);
    return;
  }
  const type = format === "json" ? "application/json" : "text/markdown";
  const address = URL.createObjectURL(new Blob([file.text], { type }));
  make("a", { href: address, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  tell(`${WORDS.saved_as} ${file.name}`);
}

function confirmDelete(item) {
  const gone = textButton(WORDS.delete, () => {
    dialog.close();
    trigger("delete", { ...qaPage.now(), id: item.id });
    nav.querySelector(".qa-new").focus();
  }, { class: "qa-button qa-danger" });
  const text = make("p", { id: "qa-delete-ask" }, WORDS.delete_ask);
  const name = make("p", { class: "qa-dialog-name" }, make("bdi", {}, item.name));
  dialog.setAttribute("aria-labelledby", "qa-delete-ask");
  dialog.replaceChildren(text, name, make("div", { class: "qa-edit-buttons" },
    textButton(WORDS.cancel, () => dialog.close()), gone));
  dialog.showModal();
}
dialog.addEventListener("keydown", (event) => event.stopPropagation());

function rename(item, node) {
  const field = make("input", { class: "qa-rename", type: "text", maxlength: "120", "aria-label": WORDS.new_name, dir: "auto" });
  field.value = item.name;
  let ended = false; // a field that is taken off the page may lose the focus first
  const end = (keep) => {
    if (ended) return;
    ended = true;
    const fresh = talk(item);
    node.replaceChildren(...fresh.children);
    node.querySelector(".qa-tool-more").focus();
    if (keep && field.value.trim() && field.value !== item.name) trigger("rename", { ...qaPage.now(), id: item.id, name: field.value });
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") end(true);
    else if (event.key === "Escape") end(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  field.addEventListener("blur", () => end(true));
  node.replaceChildren(field);
  field.select();
}

function talk(item) {
  const node = make("li", { class: "qa-talk-item" });
  const day = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
  const open = make(
    "button",
    { type: "button", class: "qa-talk", title: day.format(item.updated * 1000) },
    make("bdi", {}, item.name)
  );
  if (item.current) open.setAttribute("aria-current", "page");
  open.addEventListener("click", () => go(item.id));
  const more = iconButton("more", plain(`${WORDS.more} ${item.name}`), () => {});
  attachMenu(more, [
    { label: WORDS.rename, act: () => rename(item, more.closest("li")) },
    { label: WORDS.save_markdown, act: () => save(item.id, "markdown") },
    { label: WORDS.save_json, act: () => save(item.id, "json") },
    { label: WORDS.delete, danger: true, act: () => confirmDelete(item) },
  ]);
  node.append(open, more);
  return node;
}

let sent = 0;
function show() {
  const view = props.value;
  if (view.sent < sent) return; // overtaken on the way
  sent = view.sent;
  none.hidden = view.conversations.length > 0;
  reconcile(list, view.conversations.map((one) => ({ ...one, current: one.id === view.current })), talk);
}
show();
watch("value", show);
