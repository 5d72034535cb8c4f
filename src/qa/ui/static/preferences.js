// What a person chose instead of what the browser and the system say; read before anything is drawn.
const preferences = {
  get(name) {
    try {
      return localStorage.getItem(`qa-${name}`);
    } catch {
      return null; // a browser may forbid it
    }
  },
  // A choice that is a list; [] where there is none, or none that can be read.
  list(name) {
    try {
      const kept = JSON.parse(this.get(name) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  },
  keep(name, value) {
    try {
      localStorage.setItem(`qa-${name}`, value);
    } catch {
      // the choice holds until the page is closed
    }
    this[name] = value;
  },
  // The question that is being typed in this tab; with an argument, keep it.
  draft(text) {
    try {
      if (text !== undefined) sessionStorage.setItem("qa-draft", text);
      return sessionStorage.getItem("qa-draft");
    } catch {
      return "";
    }
  },
  // The class "dark" follows the choice, whatever else sets it; without a choice, the system decides.
  apply() {
    const chosen = this.theme ?? this.get("theme");
    if (chosen && document.body) document.body.classList.toggle("dark", chosen === "dark");
  },
};
(() => {
  const watchBody = () => {
    preferences.apply();
    new MutationObserver(() => preferences.apply()).observe(document.body, { attributeFilter: ["class"] });
  };
  if (document.body) watchBody();
  else document.addEventListener("DOMContentLoaded", watchBody);
})();
