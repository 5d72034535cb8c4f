// The fold under an answer: what was asked, considered, read, computed and written, and how long it took.
function row(name, ...what) {
  return [make("dt", {}, name), make("dd", {}, ...what)];
}

function timings(times) {
  const names = ["retrieve_s", "evidence_s", "first_token_s", "write_s", "check_s", "total_s"];
  return names.filter((name) => times[name] > 0).map((name) => `${WORDS[name]} ${decimal(times[name])} s`).join(" · ");
}

function tokens(usage) {
  const count = (number) => new Intl.NumberFormat(LANGUAGE).format(number);
  return [
    `${count(usage.prompt_tokens)} ${WORDS.why_read}`,
    `${count(usage.computed_tokens)} ${WORDS.why_computed}`,
    `${count(usage.generated_tokens)} ${WORDS.why_generated}`,
  ].join(" · ");
}

function considered(all) {
  const note = (one) => {
    const cited = one.number ? ` · ${WORDS.why_cited} [${one.number}]` : "";
    return make("span", { class: "qa-score" }, ` · ${WORDS.why_score} ${decimal(one.score)}${cited}`);
  };
  return make("ul", { class: "qa-nearest qa-considered-list" }, ...all.map((one) => quote(one, note(one))));
}

function reasons(why) {
  const list = make("dl", {});
  if (why.asked) list.append(...row(WORDS.why_asked, make("bdi", {}, why.asked)));
  list.append(...row(WORDS.why_confidence, percent(why.confidence)));
  list.append(...row(WORDS.why_answerable, percent(why.answerable)));
  list.append(...row(WORDS.why_backend, make("bdi", {}, why.backend)));
  list.append(...row(WORDS.why_usage, tokens(why.usage)));
  if (why.usage.truncated) list.append(...row("", make("span", { class: "qa-warn" }, WORDS.why_truncated)));
  list.append(...row(WORDS.why_timings, timings(why.timings)));
  const notices = why.notices.map((notice) => make("bdi", { class: "qa-remark" }, sentenceOf(notice)));
  if (notices.length) list.append(...row(WORDS.why_notices, ...notices));
  if (why.considered.length) list.append(...row(WORDS.why_considered, considered(why.considered)));
  return list;
}

// Its content is fetched when it is opened for the first time.
function fold(item) {
  const body = make("div", { class: "qa-why-body" });
  const node = make("details", { class: "qa-why" }, make("summary", {}, WORDS.why), body);
  let known = false;
  node.addEventListener("toggle", async () => {
    if (!node.open || known) return;
    known = true;
    try {
      const why = await call("why", { conversation: current.conversation, key: item.key });
      body.replaceChildren(why.backend === undefined ? make("p", { class: "qa-aside" }, inWords(why.error) || WORDS.why_lost) : reasons(why));
      node.scrollIntoView({ behavior: scrolling(), block: "nearest" });
    } catch {
      known = false;
      body.replaceChildren(make("p", { class: "qa-error" }, WORDS.lost));
    }
  });
  return node;
}
