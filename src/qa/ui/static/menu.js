// A menu under a button: arrows move, Enter chooses, Escape closes and returns to the button.
// `items` is what it offers, or a function that finds it out: {label, detail, checked, disabled, danger, act}.
function attachMenu(button, items) {
  const list = make("div", { class: "qa-menu", role: "menu", "aria-label": button.getAttribute("aria-label") });
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const choices = () => [...list.querySelectorAll('[role^="menuitem"]')];

  function close(focus) {
    if (!list.isConnected) return;
    list.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
    if (focus) button.focus();
  }
  function outside(event) {
    if (!list.contains(event.target) && !button.contains(event.target)) close(false);
  }
  function choice(item) {
    const node = make(
      "button",
      {
        type: "button",
        class: item.danger ? "qa-choice qa-danger" : "qa-choice",
        role: item.checked === undefined ? "menuitem" : "menuitemradio",
        "aria-checked": item.checked === undefined ? null : String(item.checked),
        "aria-disabled": item.disabled ? "true" : null,
        tabindex: "-1",
      },
      make("bdi", { class: "qa-choice-label" }, item.label)
    );
    if (item.detail) node.append(make("bdi", { class: "qa-choice-detail" }, item.detail));
    node.addEventListener("click", () => {
      if (item.disabled) return;
      close(true);
      item.act();
    });
    return node;
  }
  function put() {
    const box = button.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - list.offsetWidth - 8);
    const below = box.bottom + 4 + list.offsetHeight <= innerHeight;
    list.style.left = `${Math.max(8, left)}px`;
    list.style.top = `${Math.max(8, below ? box.bottom + 4 : box.top - 4 - list.offsetHeight)}px`;
  }
  function fill(found) {
    list.replaceChildren(...found.map((item) => (item.act ? choice(item) : make("p", { class: "qa-choice-note" }, item.label))));
    put();
    (choices().find((one) => one.getAttribute("aria-checked") === "true") || choices()[0])?.focus();
  }
  async function open() {
    element.append(list);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    addEventListener("resize", close);
    if (typeof items !== "function") return fill(items);
    fill([{ label: WORDS.model_wait }]);
    const found = await items();
    if (list.isConnected) fill(found);
  }
  button.addEventListener("click", () => (list.isConnected ? close(true) : open()));
  list.addEventListener("keydown", (event) => {
    const all = choices();
    const at = all.indexOf(document.activeElement);
    const to = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at + all.length - 1) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (to !== undefined) all[to]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
