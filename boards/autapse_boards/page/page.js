// Draws every figure, and lets the tools above a group of figures zoom and switch all of it together.
"use strict";
const groups = {};

function share(name, view, zoom) {
  const group = (groups[name] ??= []);
  group.push(view);
  for (const field of zoom) {
    view.addSignalListener(`zoom_${field}`, (signal, range) => {
      for (const other of group) {
        if (other !== view && String(other.signal(signal)) !== String(range)) other.signal(signal, range).runAsync();
      }
    });
  }
}

// The range of an axis after a button: `by` of its width further, and `to` times as wide.
function moved([low, high], by, to) {
  const middle = (low + high) / 2 + by * (high - low);
  const half = (to * (high - low)) / 2;
  return [middle - half, middle + half];
}

const ACTIONS = { in: [0, 0.5], out: [0, 2], left: [-0.25, 1], right: [0.25, 1] };

function act(name, zoom, action) {
  const view = groups[name]?.[0];
  if (!view) return;
  const channels = ["x", "y"];
  zoom.forEach((field, k) => {
    const sideways = action === "left" || action === "right";
    if (k > 0 && sideways) return;
    const range = action === "all" ? null : moved(view.scale(channels[k]).domain(), ...ACTIONS[action]);
    view.signal(`zoom_${field}`, range);
  });
  view.runAsync();
}

for (const tools of document.querySelectorAll(".tools")) {
  const zoom = tools.dataset.zoom.split(" ");
  tools.addEventListener("click", ({ target }) => {
    if (target.dataset.action) act(tools.dataset.group, zoom, target.dataset.action);
  });
  tools.querySelector("select")?.addEventListener("change", ({ target }) => {
    for (const view of groups[tools.dataset.group] ?? []) view.signal("trial", Number(target.value)).runAsync();
  });
}

const drawn = [...document.querySelectorAll("figure[data-group]")].map(async (figure) => {
  const spec = JSON.parse(figure.querySelector("script").textContent);
  const options = { renderer: "svg", actions: false, tooltip: { disableDefaultStyle: true } };
  const { view } = await vegaEmbed(figure.querySelector(".chart"), spec, options);
  share(figure.dataset.group, view, figure.dataset.zoom ? figure.dataset.zoom.split(" ") : []);
});
Promise.all(drawn).then(() => document.documentElement.setAttribute("data-drawn", drawn.length));
