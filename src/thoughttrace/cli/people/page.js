// Ask one question after the other. What a conversation holds is only ever set as text, never as markup.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const rating = data.verb === "rated";
const PAUSE = 250; // milliseconds in which a key or click still belongs to the question before

// ---- what this browser remembers: a person's name, how far they have read, and without a server their answers

let lasting = true;
let remembered = { name: "", people: {} };
const recall = () => {
  try {
    remembered = JSON.parse(localStorage.getItem(data.key)) ?? remembered;
  } catch {
    lasting = false;
  }
};
const remember = (change) => {
  if (lasting) recall(); // another tab may have written since
  change(remembered);
  try {
    localStorage.setItem(data.key, JSON.stringify(remembered));
  } catch {
    lasting = false;
  }
};
// A person may be called __proto__.
const person = (of = remembered) => (of.people[`=${name}`] ??= { answers: {}, readTo: {} });

// ---- where questions come from and answers go: the server, or this page itself

const post = async (what, body) => {
  let reply;
  try {
    reply = await fetch(what, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error("The answer cannot be stored: the command that serves this page has ended. Start it again, and open the address that it prints.");
  }
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
};
const server = {
  state: () => post("state", { name }),
  content: (number) => post("content", { name, number }),
  save: (number, answer) => post("save", { name, number, answer }),
};
const itself = {
  state: async () => ({ answered: Object.keys(person().answers).map(Number), read_to: {} }),
  content: async (number) => {
    const { kind, parts } = data.shown[number];
    return { kind, parts: parts.map((part) => ({ ...part, text: data.texts[part.text] })) };
  },
  save: async (number, answer) => {
    remember((all) => {
      const { answers } = person(all);
      if (answer === null) delete answers[number];
      else answers[number] = { answer, time: new Date().toISOString() };
    });
    unsaved = true;
    return itself.state();
  },
};
const source = data.served ? server : itself;

// ---- which question comes next

let name = data.name;
let answered = new Set();
let readTo = {};
let skipped = new Set();
let before = []; // questions of this session that were answered or skipped
let order = [];
let current = null;
let since = 0;
let busy = false;
let unsaved = false; // since the last download
let fresh = true; // nothing was answered before this session
let unfolded = false;
const told = new Set();

const hash = (text) => {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (const character of text) {
    const code = character.codePointAt(0);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
};
const arrange = () => {
  order = data.places.map((_, number) => number);
  if (!rating) return; // a conversation is read from its beginning
  const drawn = order.map((number) => hash(`${name}\n${data.key}\n${number}`));
  order.sort((a, b) => data.places[a].round - data.places[b].round || drawn[a] - drawn[b]);
};
const isOpen = (number) => {
  const { conversation, index } = data.places[number];
  // Nobody guesses at a message after having read what follows it.
  return !answered.has(number) && (conversation === undefined || index >= (readTo[conversation] ?? 0));
};
const learn = (state) => {
  answered = new Set(state.answered);
  readTo = { ...person().readTo };
  for (const [conversation, index] of Object.entries(state.read_to)) {
    readTo[conversation] = Math.max(index, readTo[conversation] ?? 0);
  }
};
const read = (number) => {
  const { conversation, index } = data.places[number];
  if (conversation === undefined || (readTo[conversation] ?? -1) >= index) return;
  readTo[conversation] = index;
  remember((all) => (person(all).readTo[conversation] = index));
};

// ---- what is shown

const only = (id) => {
  for (const section of ["start", "asking", "done"]) $(section).hidden = section !== id;
};
const complain = (words) => {
  $("trouble").textContent = words;
  $("trouble").hidden = !words;
};
const element = (tag, words, options = {}) => Object.assign(document.createElement(tag), { textContent: words, ...options });

const showStart = () => {
  current = null;
  only("start");
  $("who").hidden = $("keep").hidden = true;
  $("consent").replaceChildren(...data.consent.map((words) => element("p", words)));
  $("choose").hidden = Boolean(data.name);
  $("name").value = name;
};

const showProgress = () => {
  const total = data.places.length;
  $("bar").max = total || 1;
  $("bar").value = answered.size;
  $("progress").textContent = `${answered.size} of ${total} ${data.verb}`;
};

const showKeep = () => {
  if (data.served) return;
  $("keep").hidden = answered.size === 0;
  $("keep-text").textContent = lasting
    ? "Your answers are in this browser only. Download them when you stop, and give the file to whoever gave you this page."
    : "This browser does not keep your answers: download them before you close this page.";
};

const draw = (content) => {
  showProgress();
  showKeep();
  const same = before.length && data.places[before.at(-1)].conversation === data.places[current].conversation;
  const asked = content.parts.filter((part) => part.role === "question");
  $("parts").replaceChildren(
    ...content.parts.filter((part) => part.role !== "question").map((part) => {
      const box = element("section", "", { className: `part ${part.role}` });
      box.append(element("h3", part.heading), element("p", part.text, { className: "text", dir: "auto" }));
      return box;
    }),
  );
  $("heading").textContent = rating ? `A ${content.kind}` : `Guess the ${content.kind}`;
  $("question").textContent = asked.map((part) => part.text).join("\n");
  $("question").hidden = !asked.length;
  $("help-text").textContent = data.help[content.kind];
  $("text").value = "";
  $("scale").replaceChildren(
    ...data.scale[content.kind].map((line, place) => {
      const button = element("button", "", { type: "button", value: String(place + 1) });
      button.append(element("b", String(place + 1)), element("span", line.replace(/^\d = /, "")));
      button.addEventListener("click", () => answer(place + 1));
      return button;
    }),
  );
  $("undo").hidden = !rating || !before.length;
  // Whoever begins reads how it is done; afterwards it can be unfolded.
  const unread = fresh && !told.has(data.help[content.kind]);
  if (unread || unfolded) $("help").open = unread;
  unfolded = unread;
  told.add(data.help[content.kind]);
  only("asking");
  // Of a conversation that goes on, the new messages are what matters.
  const about = same && !rating && $("parts").querySelector(".about");
  if (about) about.scrollIntoView({ block: "center" });
  else window.scrollTo(0, 0);
  if (rating) $("heading").focus({ preventScroll: true });
  else $("text").focus({ preventScroll: true });
  since = performance.now();
};

const showDone = () => {
  current = null;
  showKeep();
  only("done");
  const [total, left] = [data.places.length, [...skipped].filter(isOpen).length];
  const passed = total - answered.size - left;
  $("done-text").textContent = [
    `${answered.size} of ${total} ${data.verb}.`,
    left ? `${left} skipped.` : "",
    passed ? `${passed} not asked: you have read what comes after ${passed === 1 ? "it" : "them"}.` : "",
    data.served ? `Everything is stored ${data.where}. You can close this page.` : "",
  ].filter(Boolean).join(" ");
  $("again").hidden = !left;
  $("done-heading").focus();
};

const next = async (number) => {
  const following = number ?? order.find((one) => isOpen(one) && !skipped.has(one));
  if (following === undefined) return showDone();
  const content = await source.content(following);
  if (content === null) {
    skipped.add(following); // that part of its log is damaged
    return next();
  }
  current = following;
  read(current);
  draw(content);
};

// ---- what a person does

const once = async (act) => {
  if (busy) return;
  busy = true;
  complain("");
  try {
    await act();
  } catch (error) {
    complain(error.message);
  } finally {
    busy = false;
  }
};
const tooSoon = () => performance.now() - since < PAUSE;

const answer = (value) => {
  if (current === null || (rating && tooSoon())) return;
  once(async () => {
    learn(await source.save(current, value));
    before.push(current);
    await next();
  });
};
const write = () => {
  const words = $("text").value.split(/\s+/).filter(Boolean).join(" ");
  if (words) answer(words);
  else complain("Nothing was written: write a sentence, or skip.");
};
const skip = () => {
  if (current === null || tooSoon()) return;
  once(async () => {
    skipped.add(current);
    before.push(current);
    await next();
  });
};
const undo = () => {
  if (!rating || !before.length || tooSoon()) return;
  once(async () => {
    const last = before.at(-1);
    if (!skipped.delete(last)) learn(await source.save(last, null));
    before.pop();
    await next(last);
  });
};

const enter = (asking) =>
  once(async () => {
    const state = await source.state();
    if (asking && state.answered.length && $("agree").dataset.known !== name) {
      $("agree").dataset.known = name;
      throw new Error(`${name} has ${data.verb} ${state.answered.length} already. If that is you, press the button again; if not, choose another name.`);
    }
    learn(state);
    remember((all) => (all.name = name));
    [skipped, before, fresh] = [new Set(), [], !answered.size];
    arrange();
    $("shown-name").textContent = name;
    $("who").hidden = false;
    $("leave").hidden = Boolean(data.name);
    await next();
  });

const begin = () => {
  name = data.name || $("name").value.trim();
  // As the command checks it: reports show the name.
  if (!name || /[\p{C}\p{Zl}\p{Zp}]/u.test(name) || name === "none/none" || name.startsWith("control ")) {
    return complain("Write a name that a report can show, such as a pseudonym.");
  }
  enter(true);
};

const download = () => {
  const { answers } = person();
  const lines = Object.entries(answers).map(([number, { answer: given, time }]) =>
    JSON.stringify({ ...data.shown[number].record, [data.fields.answer]: given, [data.fields.person]: name, time }),
  );
  const file = new Blob([lines.map((line) => `${line}\n`).join("")], { type: "application/jsonl" });
  const link = element("a", "", { href: URL.createObjectURL(file), download: `${data.verb}-${name.replace(/[^\p{L}\p{N}_-]+/gu, "_")}.jsonl` });
  link.click();
  unsaved = false;
  $("downloaded").textContent = `${lines.length} answers downloaded.`;
};

$("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
$("answer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!rating) write();
});
$("skip").addEventListener("click", skip);
$("undo").addEventListener("click", undo);
$("download").addEventListener("click", download);
$("again").addEventListener("click", () =>
  once(async () => {
    skipped.clear();
    await next();
  }),
);
$("leave").addEventListener("click", () => {
  remember((all) => (all.name = ""));
  name = "";
  delete $("agree").dataset.known;
  showStart();
});
document.addEventListener("keydown", (event) => {
  if ($("asking").hidden || event.repeat) return;
  const writing = event.target.closest("textarea, input");
  if (writing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) return write();
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (rating && /^[1-5]$/.test(event.key)) answer(Number(event.key));
  else if (rating && event.key === "s") skip();
  else if (rating && event.key === "u") undo();
  else if (event.key === "?") $("help").open = !$("help").open;
});
window.addEventListener("beforeunload", (event) => {
  if (!lasting && unsaved) event.preventDefault();
});

document.body.className = rating ? "rating" : "guessing";
$("help-title").textContent = rating ? "How to rate" : "Instructions";
$("writing").hidden = $("send").hidden = rating;
$("rating").hidden = !rating;
$("keys").textContent = rating ? "Keys: 1–5 rate, s skip, u undo, ? how to rate" : "Ctrl+Enter saves";
$("import").textContent = data.importedBy;
recall();
name = data.name || remembered.name;
showStart();
// Who has agreed before goes on where they stopped.
if (name && remembered.name === name) enter(false);
