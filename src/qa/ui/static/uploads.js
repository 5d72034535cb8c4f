// Files on their way to the server: chosen or dropped anywhere, one after the other, each with its own state.
const tray = {
  box: element.querySelector(".qa-tray"),
  list: element.querySelector(".qa-uploads"),
  close: element.querySelector(".qa-tray-close"),
  files: [], // { name, state, share, message, file, id }
  working: false,
  added: null, // called with the id of the last file added, once all are done
};
const fileInput = element.querySelector(".qa-file");

function sendFiles(files) {
  for (const file of files) {
    const problem = refusal(file);
    tray.files.push({ name: file.name, state: problem ? "refused" : "waiting", share: 0, message: problem, file });
  }
  drawTray();
  work();
}

// What can be told without sending the file; the server checks again.
function refusal(file) {
  const name = file.name.toLowerCase();
  if (!props.suffixes.some((suffix) => name.endsWith(suffix))) {
    return `${WORDS.wrong_type} ${props.suffixes.join(", ")}`;
  }
  const megabyte = 1024 * 1024;
  if (file.size > props.max_file_mb * megabyte) {
    const size = (file.size / megabyte).toLocaleString(LANGUAGE, { maximumFractionDigits: 1 });
    return `${WORDS.too_large} ${props.max_file_mb} ${WORDS.megabytes} (${size} ${WORDS.megabytes})`;
  }
  return "";
}

async function work() {
  if (tray.working) return;
  tray.working = true;
  let last = "";
  for (;;) {
    const item = tray.files.find((one) => one.state === "waiting");
    if (!item) break;
    last = (await sendOne(item)) || last;
    drawTray();
  }
  tray.working = false;
  drawTray();
  if (!last) return;
  await refresh();
  tray.added(last);
}

// Send one file and have it indexed; return its id, or "" where that failed.
async function sendOne(item) {
  item.state = "sending";
  try {
    const path = await transfer(item);
    item.state = "reading";
    drawTray();
    const told = await call("add_file", { path, name: item.name });
    item.state = told.done ? (told.same ? "same" : "added") : "refused";
    item.message = told.done ? "" : inWords(told.message) || WORDS.upload_failed;
    return told.done ? told.id : "";
  } catch (error) {
    item.state = error.message === "413" ? "refused" : "cut";
    item.message = item.state === "cut" ? WORDS.cut : `${WORDS.too_large} ${props.max_file_mb} ${WORDS.megabytes}`;
    return "";
  }
}

function transfer(item) {
  const { root, api_prefix: prefix } = window.gradio_config;
  const body = new FormData();
  body.append("files", item.file, item.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${root}${prefix}/upload`);
    request.upload.addEventListener("progress", (event) => {
      item.share = event.lengthComputable ? event.loaded / event.total : 0;
      drawTray();
    });
    request.addEventListener("load", () => {
      if (request.status === 200) resolve(JSON.parse(request.responseText)[0]);
      else reject(new Error(String(request.status)));
    });
    for (const end of ["error", "abort", "timeout"]) request.addEventListener(end, () => reject(new Error(end)));
    request.send(body);
  });
}

function trayNode(item) {
  const failed = item.state === "refused" || item.state === "cut";
  const node = make(
    "li",
    { class: `qa-upload qa-upload-${item.state}` },
    make("bdi", {}, item.name), COLON,
    make("span", { class: failed ? "qa-error" : "qa-verdict" }, failed ? item.message : WORDS[`upload_${item.state}`])
  );
  if (item.state === "sending") {
    node.append(make("progress", { max: "100", value: String(item.percent), "aria-label": plain(item.name) }));
  }
  if (item.state === "cut") {
    const again = make("button", { type: "button", class: "qa-again" }, WORDS.try_again);
    again.addEventListener("click", () => {
      tray.files[item.place].state = "waiting";
      drawTray();
      work();
    });
    node.append(again);
  }
  return node;
}

function drawTray() {
  tray.box.hidden = !tray.files.length;
  const items = tray.files.map(({ name, state, share, message }, place) => (
    { name, state, percent: state === "sending" ? Math.round(share * 100) : 0, message, place }
  ));
  reconcile(tray.list, items, trayNode);
  tray.close.disabled = tray.working;
}

tray.close.textContent = WORDS.close;
tray.close.addEventListener("click", () => {
  tray.files = [];
  drawTray();
});
fileInput.accept = props.suffixes.join(",");
fileInput.addEventListener("change", () => {
  sendFiles([...fileInput.files]);
  fileInput.value = "";
});
for (const button of element.querySelectorAll(".qa-add")) {
  button.addEventListener("click", () => fileInput.click());
}

// Files may be dropped anywhere on the page; the browser must not leave it to show one.
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
let over = 0; // elements entered and not left
function dragging(change) {
  over = Math.max(0, over + change);
  document.documentElement.classList.toggle("qa-dragging", over > 0);
}
function onDrag(event) {
  if (!element.isConnected || !holdsFiles(event)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.type === "dragenter") dragging(1);
  if (event.type === "dragleave") dragging(-1);
  if (event.type === "drop") {
    dragging(-over);
    sendFiles([...event.dataTransfer.files]);
  }
}
for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(type, onDrag, { capture: true });
}
