// The page of a board: takes its messages, draws what they say, and sends what a person asks for.
import { History, drawLanes, drawPlane, drawRaster } from "./draw.js";

const $ = (id) => document.getElementById(id);
const history = new History(360);
const state = { board: null, axes: null, mode: null, received: 0, dirty: true };
// For whoever measures: how many updates came, and how many of them were drawn.
window.live = { updates: 0, drawn: 0, history };

const url = new URL("board", location.href);
url.protocol = "ws:";
const socket = new WebSocket(url);
const send = (order) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(order));

function say(text, bad = false) {
  $("said").textContent = text;
  $("said").classList.toggle("bad", bad);
}

const integer = (value) => Math.round(value).toLocaleString("en");
const signed = (value) => (value ?? 0).toFixed(2).replace("-", "−");

function option(value, text) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  return made;
}

function row(cells) {
  const made = document.createElement("tr");
  cells.forEach((text, k) => {
    const cell = document.createElement(k ? "td" : "th");
    if (k) cell.className = "number";
    else cell.scope = "row";
    cell.textContent = text;
    made.append(cell);
  });
  return made;
}

// One input by hand: a slider, its value, and two buttons for pulses.
function slider(k, board) {
  const made = document.createElement("div");
  made.className = "slider";
  const label = document.createElement("label");
  label.htmlFor = `input-${k}`;
  label.textContent = `x${k + 1}`;
  const range = document.createElement("input");
  // Some 64 steps to either side, and zero one of them.
  const step = board.input_step * Math.max(1, Math.round(board.input_limit / board.input_step / 64));
  const end = step * Math.floor(board.input_limit / step);
  Object.assign(range, { type: "range", id: `input-${k}`, min: -end, max: end, step, value: 0 });
  const value = document.createElement("span"); // an output element would be read aloud at every change
  value.textContent = signed(0);
  range.addEventListener("input", () => {
    value.textContent = signed(range.valueAsNumber);
    send({ do: "put", input: k, value: range.valueAsNumber });
  });
  made.append(label, range, value);
  for (const [sign, text, word] of [[-1, "−", "negative"], [1, "+", "positive"]]) {
    const pulse = document.createElement("button");
    pulse.type = "button";
    pulse.textContent = text;
    pulse.setAttribute("aria-label", `${word} pulse on x${k + 1}`);
    pulse.addEventListener("click", () => send({ do: "pulse", input: k, sign }));
    made.append(pulse);
  }
  return made;
}

const LINK = {
  accepted: "requests executed", recoveries: "recoveries", rejected: "damaged frames", refused: "out of sequence",
  framing_errors: "framing errors", overruns: "overruns", saturations: "sums clipped", inputs_saturated: "inputs clipped",
};

const takes = {
  board(board) {
    if (state.board) return;
    state.board = board;
    $("name").textContent = board.name || `Network ${board.hash}`;
    document.title = `${$("name").textContent}: Autapse live`;
    const turns = board.sequences > 1 ? `, first of ${board.sequences} states in turn` : "";
    $("what").textContent = `${board.units} units, ${board.state_bits}-bit state, ${board.lanes} lanes, `
      + `clock ${(board.clock_hz / 1e6).toFixed(2)} MHz, network ${board.hash}${turns}`;
    $("task").replaceChildren(
      ...board.tasks.map(({ name }) => option(name, name + (name === board.trained_on ? " (trained on)" : ""))),
      option("", "by hand"),
    );
    $("sliders").replaceChildren(...Array.from({ length: board.inputs }, (_, k) => slider(k, board)));
    $("ramp").textContent = `±${board.state_limit.toPrecision(3)}`;
    $("now").replaceChildren(
      ...Array.from({ length: Math.max(board.inputs, board.outputs) }, (_, k) => row([k + 1, "", ""])),
    );
  },
  axes(axes) {
    state.axes = axes;
    history.project(axes);
    const share = axes.share.map((part) => `${Math.round(100 * part)} %`).join(" and ");
    $("axes").textContent = `Principal components of ${axes.source}: ${share} of its variance.`;
  },
  mode(mode) {
    const before = state.mode;
    state.mode = mode;
    $("running").textContent = mode.running ? "Pause" : "Run";
    if (!$("rate").options.length) {
      $("rate").replaceChildren(...mode.rates.map((rate) => option(String(rate), rate ?? "as many as it does")));
    }
    $("rate").value = String(mode.rate);
    $("task").value = mode.task ?? "";
    $("hand").hidden = mode.task !== null;
    $("summary").textContent = mode.task ? state.board.tasks.find(({ name }) => name === mode.task).summary : "";
    mode.values.forEach((value, k) => {
      const range = $(`input-${k}`);
      if (range !== document.activeElement) range.value = value;
      range.nextElementSibling.textContent = signed(value);
    });
    if (before?.task !== mode.task || before?.running !== mode.running) {
      const what = mode.task ? `the task ${mode.task}` : "inputs by hand";
      say(mode.running ? `Running ${what}` : `Paused at step ${integer(mode.steps)}`);
    }
  },
  moved(update) {
    history.push(update, state.axes);
    window.live.updates += 1;
  },
  figures(figures) {
    $("steps-rate").textContent = integer(figures.steps_per_second);
    $("updates-rate").textContent = integer(figures.updates_per_second);
    $("steps").textContent = integer(figures.steps);
    const { compared, mismatches } = figures;
    $("compared").textContent = compared === null ? "network not given"
      : mismatches ? `${integer(mismatches)} of ${integer(compared)} differ` : `all ${integer(compared)} values`;
    $("compared").className = compared === null ? "" : mismatches ? "bad" : "good";
    const scores = Object.entries(figures.score).map(([name, value]) => `${name} ${value.toFixed(3)}`);
    $("score").textContent = scores.join(", ") || "–";
    $("link").replaceChildren(...Object.entries(LINK).map(([name, text]) => row([text, integer(figures.link[name])])));
    const last = history.last;
    if (last) {
      [...$("now").rows].forEach((line, k) => {
        line.cells[1].textContent = k < last.x.length ? signed(last.x[k]) : "";
        line.cells[2].textContent = k < last.z.length ? signed(last.z[k]) : "";
      });
    }
  },
  note({ text }) { say(text); },
  end({ reason }) { say(`Ended: ${reason}`, true); },
};

socket.addEventListener("message", ({ data }) => {
  const message = JSON.parse(data);
  takes[message.is](message);
  state.dirty = true;
});
socket.addEventListener("close", () => {
  if (!$("said").classList.contains("bad")) say("The connection has ended.", true);
  document.querySelectorAll("button, select, input").forEach((control) => { control.disabled = true; });
});

$("running").addEventListener("click", () => send({ do: state.mode?.running ? "pause" : "resume" }));
document.querySelectorAll("[data-do]").forEach((button) => {
  button.addEventListener("click", () => send({ do: button.dataset.do }));
});
$("task").addEventListener("change", ({ target }) => send({ do: "choose", task: target.value || null }));
$("rate").addEventListener("change", ({ target }) => send({ do: "rate", steps: JSON.parse(target.value) }));
document.addEventListener("keydown", (event) => {
  // A focused control keeps its own keys.
  if (event.target !== document.body || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = { " ": $("running"), s: document.querySelector("[data-do=step]"), r: document.querySelector("[data-do=reset]") }[event.key];
  if (button) {
    event.preventDefault();
    button.click();
  }
});

function draw() {
  requestAnimationFrame(draw);
  if (!state.dirty || !state.board) return;
  state.dirty = false;
  drawLanes($("inputs"), history, "x", state.board.inputs);
  drawLanes($("outputs"), history, "z", state.board.outputs);
  drawRaster($("raster"), history, state.board);
  drawPlane($("plane"), history, state.axes);
  window.live.drawn += 1;
}
requestAnimationFrame(draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { state.dirty = true; });
new ResizeObserver(() => { state.dirty = true; }).observe(document.body);
