// The labeller's page: shows the view that Python sends, and sends back what was pressed.
// Whatever a model wrote is set as text, never as HTML.

const ANSWERS = [
  { pressed: "left", sign: "←", words: "Left is better", keys: ["arrowleft", "l"] },
  { pressed: "tie", sign: "↓", words: "Tie", keys: ["arrowdown", "t"] },
  { pressed: "both bad", sign: "↑", words: "Both bad", keys: ["arrowup", "b"] },
  { pressed: "right", sign: "→", words: "Right is better", keys: ["arrowright", "r"] },
];
const UNDO = { pressed: "undo", sign: "⌫", words: "Undo", keys: ["backspace", "u"] };
const PATIENCE = 5000; // milliseconds until a silent kernel is reported
const SILENCE =
  "Not saved: the kernel does not answer. If it is busy, wait. If it was restarted, run this cell again; " +
  "every label up to here is kept.";

/** An element with attributes, and children that are elements or text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function makeButton({ pressed, sign, words, keys }) {
  const shortcuts = keys.map((key) => key.replace("arrow", "Arrow").replace(/^./, (c) => c.toUpperCase()));
  const attributes = { type: "button", "data-pressed": pressed, "aria-keyshortcuts": shortcuts.join(" ") };
  return make("button", attributes, make("kbd", { "aria-hidden": "true" }, sign), words);
}

/** One completion, under the name of its side. */
function makePane(side) {
  const text = make("p", { class: "ftl-text", dir: "auto" });
  return [make("section", { "aria-label": `${side} completion` }, make("h4", {}, side), text), text];
}

function build() {
  const [left, leftText] = makePane("Left");
  const [right, rightText] = makePane("Right");
  const parts = {
    leftText,
    rightText,
    who: make("span"),
    count: make("span"),
    progress: make("progress", { "aria-label": "Pairs judged" }),
    promptText: make("p", { class: "ftl-text", dir: "auto" }),
    done: make("p", { class: "ftl-done", hidden: "" }),
    said: make("p", { class: "ftl-said", role: "status" }),
    problem: make("p", { class: "ftl-problem", role: "alert" }),
    notes: make("ul", { class: "ftl-notes", "aria-label": "Notes on the label file" }),
    buttons: [...ANSWERS, UNDO].map(makeButton),
  };
  const prompt = make("section", { class: "ftl-prompt", "aria-label": "Prompt" }, make("h4", {}, "Prompt"), parts.promptText);
  parts.pair = make("div", {}, prompt, make("div", { class: "ftl-pair" }, left, right));
  const head = make("div", { class: "ftl-head" }, parts.who, parts.progress, parts.count);
  const buttons = make("div", { class: "ftl-buttons", role: "group", "aria-label": "Your answer" }, ...parts.buttons);
  const name = "Which completion is better? Press an arrow key or a button.";
  parts.root = make("div", { class: "ftl-label", role: "group", tabindex: "0", "aria-label": name });
  parts.root.append(head, parts.pair, parts.done, buttons, parts.said, parts.problem, parts.notes);
  return parts;
}

function show(parts, view) {
  const finished = view.done === view.total;
  parts.who.textContent = `Labeller: ${view.labeller}`;
  parts.count.textContent = `${view.done} of ${view.total}`;
  parts.progress.max = view.total;
  parts.progress.value = view.done;
  parts.promptText.textContent = view.prompt;
  parts.leftText.textContent = view.left;
  parts.rightText.textContent = view.right;
  parts.pair.hidden = finished;
  parts.done.hidden = !finished;
  parts.done.textContent = finished ? `All ${view.total} pairs are judged and saved. Thank you.` : "";
  parts.said.textContent = view.said;
  parts.problem.textContent = view.problem;
  parts.notes.replaceChildren(...view.notes.map((note) => make("li", {}, note)));
  // Never `disabled`: a button that loses the focus would hand the next key to the notebook.
  for (const button of parts.buttons) {
    const idle = button.dataset.pressed === "undo" ? view.done === 0 : finished;
    button.setAttribute("aria-disabled", String(idle));
  }
}

const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);

function render({ model, el }) {
  const parts = build();
  let waiting = null;

  const settle = () => {
    clearTimeout(waiting);
    waiting = null;
    show(parts, model.get("view"));
  };
  const unanswered = () => {
    waiting = null;
    parts.said.textContent = "";
    parts.problem.textContent = SILENCE;
  };
  const press = (button) => {
    if (waiting !== null || button.getAttribute("aria-disabled") === "true") return;
    waiting = setTimeout(unanswered, PATIENCE);
    try {
      model.send({ pressed: button.dataset.pressed, turn: model.get("view").turn });
    } catch {
      clearTimeout(waiting);
      unanswered();
    }
  };
  const onKey = (event) => {
    const key = event.key.toLowerCase();
    const found = [...ANSWERS, UNDO].findIndex(({ keys }) => keys.includes(key));
    if (!isPlain(event) || found < 0) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) press(parts.buttons[found]);
  };
  // While the focus is in here, plain keys are ours and not JupyterLab's (where "d d" deletes the cell); a key with
  // Ctrl and the like stays JupyterLab's. It looks for this attribute, at the element with the focus, when the key comes
  // down to the document: before any listener but one of the window's.
  const claim = (event) => {
    if (parts.root.contains(event.target)) event.target.toggleAttribute("data-lm-suppress-shortcuts", isPlain(event));
  };

  parts.root.addEventListener("keydown", onKey);
  parts.buttons.forEach((button) => button.addEventListener("click", () => press(button)));
  window.addEventListener("keydown", claim, true);
  model.on("change:view", settle);
  settle();
  el.append(parts.root);
  return () => {
    clearTimeout(waiting);
    window.removeEventListener("keydown", claim, true);
    model.off("change:view", settle);
  };
}

export default { render };
