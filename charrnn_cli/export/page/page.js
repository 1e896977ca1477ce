// The page's frame: the model's data, the worker, the tabs.

const byId = (id) => document.getElementById(id);
const DATA = JSON.parse(byId("data").textContent);

const worker = new Worker(URL.createObjectURL(
  new Blob([byId("worker").textContent], { type: "text/javascript" }),
));
const waiting = new Map();
const listeners = { written: () => {}, read: () => {} };
let requests = 0;

worker.onmessage = ({ data: message }) => {
  if (message.event) {
    listeners[message.event](message);
    return;
  }
  const { resolve, reject } = waiting.get(message.request);
  waiting.delete(message.request);
  if (message.error) reject(new Error(message.error));
  else resolve(message.answer);
};
worker.onerror = (event) => showProblem(event.message || "the browser allows no worker here");

/** Ask the worker; the answer is a promise. */
function ask(kind, data = {}, transfer = []) {
  return new Promise((resolve, reject) => {
    requests += 1;
    waiting.set(requests, { resolve, reject });
    worker.postMessage({ request: requests, kind, data }, transfer);
  });
}

function showProblem(message) {
  byId("problem").textContent = `This page does not work here: ${message}`;
  byId("problem").hidden = false;
}

addEventListener("unhandledrejection", (event) => showProblem(event.reason.message));
addEventListener("error", (event) => showProblem(event.message));

/** The bytes of a base64 text. */
function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

const weights = fromBase64(byId("weights").textContent);
byId("weights").remove();
const loaded = ask("load", { config: DATA.config, tensors: DATA.tensors, weights }, [weights])
  .then(() => ask("start", { itemEnd: DATA.items ? DATA.line_start : null }));

byId("name").textContent = DATA.name;
document.title = `${DATA.name}: charrnn`;
byId("summary").textContent = DATA.summary;

/** A button for each view. */
const tabs = Array.from(document.querySelectorAll('[role="tabpanel"]'), (view) => {
  const tab = document.createElement("button");
  tab.id = `tab-${view.id}`;
  tab.textContent = view.dataset.title;
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", view.id);
  view.setAttribute("aria-labelledby", tab.id);
  document.querySelector('[role="tablist"]').append(tab);
  return tab;
});
const shown = {}; // what each view does when it is shown

function show(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  shown[tab.getAttribute("aria-controls")]?.();
}

tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    show(next);
    next.focus();
  });
});
show(tabs[0]);
