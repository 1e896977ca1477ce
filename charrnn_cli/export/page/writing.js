// The view that writes text.

const MOST_WRITTEN = 20000; // characters on the page before writing stops by itself
const FASTEST = 40; // the speed slider's last place: as fast as it goes

const settings = {
  get temperature() { return Number(byId("temperature").value); },
  get topK() { return Number(byId("top-k").value) || null; },
  get rate() {
    const place = Number(byId("rate").value);
    return place === FASTEST ? Infinity : Math.round(2 * 10 ** (place / 13));
  },
};
const likelyNext = new Bars(byId("likely"), (id) => sign(characterOf(id)), choose);
const writing = { state: "fresh", count: 0, seed: "" };

function showSettings() {
  byId("temperature-shown").textContent = settings.temperature.toFixed(2);
  byId("top-k-shown").textContent = settings.topK ?? "all";
  byId("rate-shown").textContent = settings.rate === Infinity
    ? "as fast as it goes" : `${settings.rate} characters/s`;
}

async function sendSettings() {
  showSettings();
  const { temperature, topK, rate } = settings;
  const { likely, changed } = await ask("settings", { temperature, topK, rate });
  if (likely) likelyNext.show(likely);
  if (changed && writing.state === "going") await go(); // the new speed counts from now on
}

function setState(state) {
  writing.state = state;
  byId("go").textContent = { fresh: "Write", going: "Stop", stopped: "Go on" }[state];
}

/** Begin the text again with the seed; the same random seed gives the same text. */
async function begin() {
  const { text, note } = asRead(byId("seed").value);
  const ids = encode(text);
  const known = ids.filter((id) => id >= 0);
  const unknown = Array.from(text).filter((_, index) => ids[index] < 0);
  const lacking = unknown.length
    ? `The model does not know ${Array.from(new Set(unknown), sign).join(" ")}` : "";
  byId("writing-note").textContent = [note, lacking].filter(Boolean).join(" ");
  const written = byId("written");
  written.replaceChildren();
  writing.seed = known.map(characterOf).join("");
  addText(written, writing.seed, "seed");
  writing.count = 0;
  setState("fresh");
  const number = Number(byId("random-seed").value);
  const seed = Number.isFinite(number) ? number : 0;
  const { line_start: start, items } = DATA;
  const before = !known.length || (items && known[0] !== start) ? [start] : [];
  const { likely } = await ask("begin", { ids: [...before, ...known], seed,
    itemEnd: items ? start : null });
  likelyNext.show(likely);
}

async function go() {
  if (writing.count >= MOST_WRITTEN) await begin();
  setState("going");
  await ask("go", { limit: MOST_WRITTEN - writing.count });
}

async function stop() {
  const { likely } = await ask("stop");
  setState("stopped");
  likelyNext.show(likely);
}

function addWritten(ids) {
  const written = byId("written");
  const atEnd = written.scrollTop + written.clientHeight > written.scrollHeight - 30;
  const text = ids.map(characterOf).join("");
  for (const part of DATA.items ? text.match(/[^\n]*\n|[^\n]+/gu) ?? [] : [text]) {
    addText(written, part);
    if (DATA.items && part.endsWith("\n")) addText(written, writing.seed.replace(/^\n+/u, ""), "seed");
  }
  written.normalize(); // neighbouring texts become one, so that signs of several characters join
  if (atEnd) written.scrollTop = written.scrollHeight;
  writing.count += ids.length;
}

listeners.written = ({ ids, ended, likely }) => {
  addWritten(ids);
  likelyNext.show(likely);
  setTimeout(() => ask("shown"), 0); // after clicks and keys that wait
  if (ended && writing.count >= MOST_WRITTEN) {
    setState("stopped");
    byId("writing-note").textContent = `${MOST_WRITTEN} characters are written: stopped.`;
  } else if (ended) setState("stopped");
};

async function choose(id) {
  if (writing.state === "going") await stop();
  const { likely } = await ask("choose", { id });
  addWritten([id]);
  setState("stopped");
  likelyNext.show(likely);
}

byId("go").addEventListener("click", () => (writing.state === "going" ? stop() : go()));
byId("restart").addEventListener("click", begin);
byId("once").addEventListener("click", async () => {
  if (writing.state === "going") await stop();
  setState("stopped");
  await ask("go", { limit: 1 });
});
for (const id of ["temperature", "top-k", "rate"]) byId(id).addEventListener("input", sendSettings);
for (const id of ["seed", "random-seed"]) byId(id).addEventListener("input", begin);

byId("top-k").max = Math.min(50, points.length);
byId("seed").value = DATA.seed;
showSettings();
loaded.then(sendSettings).then(begin).then(() => document.body.setAttribute("data-ready", "true"));
