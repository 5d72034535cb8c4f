// The tabs of the panel: the list of documents first, then each document that is open.
const tabs = { list: element.querySelector(".qa-tabs"), opened: [], current: "", choose: null };

function tab(item) {
  const selected = item.id === tabs.current;
  const button = make(
    "button",
    {
      class: item.id ? "qa-tab" : "qa-tab qa-tab-list",
      type: "button",
      role: "tab",
      id: item.id ? `qa-tab-${tabs.opened.indexOf(item.id)}` : "qa-tab-list",
      "aria-selected": String(selected),
      "aria-controls": item.id ? "qa-reader" : "qa-shelf",
      tabindex: selected ? "0" : "-1",
    },
    make("bdi", { class: "qa-tab-title" }, item.title)
  );
  if (item.badge) button.append(make("span", { class: "qa-badge" }, item.badge));
  button.addEventListener("click", () => tabs.choose(item.id));
  button.addEventListener("auxclick", (event) => {
    if (event.button === 1 && item.id) closeTab(item.id);
  });
  return button;
}

// `titles` maps the ids of documents to their titles; `badge` stands beside the list's own tab.
function drawTabs(titles, badge) {
  const items = [
    { id: "", title: WORDS.documents, badge, selected: tabs.current === "" },
    ...tabs.opened.map((id) => ({ id, title: plain(titles.get(id) ?? id), selected: tabs.current === id })),
  ];
  const focused = tabs.list.contains(document.activeElement);
  reconcile(tabs.list, items, tab);
  const selected = tabs.list.querySelector('[aria-selected="true"]');
  if (focused) selected?.focus();
  selected?.scrollIntoView({ block: "nearest", inline: "nearest" });
  element.querySelector("#qa-reader").setAttribute("aria-labelledby", selected ? selected.id : "");
}

function closeTab(id) {
  const place = tabs.opened.indexOf(id);
  if (place < 0) return;
  tabs.opened.splice(place, 1);
  if (tabs.current === id) tabs.choose(tabs.opened[Math.max(place - 1, 0)] ?? "");
  else tabs.choose(tabs.current);
}

tabs.list.addEventListener("keydown", (event) => {
  const all = ["", ...tabs.opened];
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  if (event.key in steps) {
    tabs.choose(all[(all.indexOf(tabs.current) + steps[event.key] + all.length) % all.length]);
  } else if (event.key === "Home") tabs.choose("");
  else if (event.key === "End") tabs.choose(all.at(-1));
  else if (event.key === "Delete" && tabs.current) closeTab(tabs.current);
  else return;
  event.preventDefault();
});
