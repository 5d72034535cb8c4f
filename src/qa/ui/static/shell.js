// The page's head: its name, and the switches of language and of light and dark.
element.querySelector(".qa-title").textContent = WORDS.title;
document.title = WORDS.title;

const language = element.querySelector(".qa-language");
const other = LANGUAGE === "fr" ? "en" : "fr";
language.textContent = props.labels[other].language;
language.lang = other;
language.addEventListener("click", () => {
  preferences.keep("language", other);
  location.reload(); // every word on the page is drawn anew
});

// Gradio's own labels follow the browser's language: make them follow the choice.
function nameControls() {
  const [question, send, stop] = ["#qa-question textarea", "#qa-send", "#qa-stop"].map((one) => document.querySelector(one));
  if (!question || !send || !stop) {
    requestAnimationFrame(nameControls);
    return;
  }
  question.placeholder = WORDS.placeholder;
  send.textContent = WORDS.send;
  stop.textContent = WORDS.stop;
}
if (preferences.get("language")) nameControls();

// What was being typed outlives a reload; Gradio may load the page anew after a restart of the server.
function keepDraft() {
  const box = () => document.querySelector("#qa-question textarea");
  if (!box()) {
    requestAnimationFrame(keepDraft);
    return;
  }
  const draft = preferences.draft();
  if (draft && !box().value) {
    box().value = draft;
    box().dispatchEvent(new Event("input", { bubbles: true }));
  }
  addEventListener("pagehide", () => preferences.draft(box()?.value ?? ""));
}
keepDraft();

const theme = element.querySelector(".qa-theme");
function nameTheme() {
  const dark = document.body.classList.contains("dark");
  theme.textContent = dark ? "☀" : "☾";
  theme.setAttribute("aria-label", dark ? WORDS.light : WORDS.dark);
  theme.title = dark ? WORDS.light : WORDS.dark;
}
theme.addEventListener("click", () => {
  preferences.keep("theme", document.body.classList.contains("dark") ? "light" : "dark");
  preferences.apply();
});
new MutationObserver(nameTheme).observe(document.body, { attributeFilter: ["class"] });
nameTheme();
