// The model in use, its state, and the menu to choose another; the conversation stays.
const model = element.querySelector(".qa-model");
const notes = element.querySelector(".qa-notes");
const modelButton = make("button", { type: "button", class: "qa-model-button" });
const modelName = make("bdi", {});
modelButton.append(make("span", { class: "qa-hidden" }, `${WORDS.choose_model}${COLON}`), modelName);
const modelState = make("span", { class: "qa-model-state", role: "status" });
model.append(modelButton, modelState);
let modelError = "";

async function use(chosen) {
  modelState.textContent = "";
  try {
    modelError = sentenceOf((await call("use_model", chosen.id)).error);
    if (!modelError) say(plain(`${WORDS.model_set} ${chosen.name}`));
  } catch {
    modelError = WORDS.failed;
  }
  await status();
}

attachMenu(modelButton, async () => {
  let found;
  try {
    found = await call("models", null);
  } catch {
    return [{ label: WORDS.lost }];
  }
  if (inWords(found.error)) return [{ label: inWords(found.error) }];
  return found.models.map((one) => ({
    label: one.name,
    detail: [WORDS[`model_${one.state}`], inWords(one.detail)].filter(Boolean).join(" · "),
    checked: one.name === modelName.textContent,
    disabled: one.state === "missing",
    act: () => use(one),
  }));
});

let misses = 0;
async function status() {
  let now;
  try {
    now = await call("status", null);
    misses = 0;
  } catch {
    misses += 1;
    if (misses > 1) reconcile(notes, [WORDS.lost], (line) => make("p", { class: "qa-error" }, line));
    return 5000;
  }
  const warming = now.state === "warming";
  model.classList.toggle("qa-wait", warming);
  modelName.textContent = now.backend;
  modelState.textContent = warming ? inWords(now.message) : "";
  const lines = [modelError, now.state === "failed" ? sentenceOf(now.message) : "", ...now.notices.map(sentenceOf)].filter(Boolean);
  reconcile(notes, lines, (line) => make("p", { class: "qa-notice" }, line));
  return warming ? 500 : 5000;
}

(async function poll() {
  const pause_ms = await status();
  if (element.isConnected) setTimeout(poll, pause_ms);
})();
