// Small parts that the log and the list of conversations share: icons, buttons, lines to be read out.
const ICONS = {
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  up: "M7 10v11H3V10zM7 19l2 2h8.5a2 2 0 0 0 2-1.6l1.4-7A2 2 0 0 0 19 10h-5.5l1-4.5A2 2 0 0 0 12.6 3L7 10",
  down: "M17 14V3h4v11zM17 5l-2-2H6.5a2 2 0 0 0-2 1.6l-1.4 7A2 2 0 0 0 5 14h5.5l-1 4.5A2 2 0 0 0 11.4 21L17 14",
  retry: "M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  talks: "M4 6h16M4 12h16M4 18h10",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
};

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const node = document.createElementNS(space, "svg");
  node.setAttribute("viewBox", "0 0 24 24");
  node.setAttribute("aria-hidden", "true");
  node.setAttribute("class", "qa-icon");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  node.append(path);
  return node;
}

// A button that shows an icon alone; its label is its name and its tooltip.
function iconButton(name, label, act, attributes = {}) {
  const button = make(
    "button",
    { type: "button", class: `qa-tool qa-tool-${name}`, "aria-label": label, title: label, ...attributes },
    icon(name)
  );
  button.addEventListener("click", () => act(button));
  return button;
}

function textButton(text, act, attributes = {}) {
  const button = make("button", { type: "button", class: "qa-button", ...attributes }, text);
  button.addEventListener("click", () => act(button));
  return button;
}

const percent = (share) =>
  new Intl.NumberFormat(LANGUAGE, { style: "percent", maximumFractionDigits: 0 }).format(share);
const decimal = (number, digits = 2) =>
  new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(number);
