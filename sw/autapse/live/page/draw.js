// Drawing on canvases: what the page keeps of the past, lanes over time, the raster of the units, and the plane.

const LANES = 6; // channels that are drawn
const NEAR = 8; // steps; states further apart are points, since nothing is known of the way between them
const LANE_HEIGHT = 46, AXIS_HEIGHT = 18, MARGIN = 34;

// The last `size` updates, a column each.
export class History {
  constructor(size) {
    this.size = size;
    this.columns = [];
    this.reach = { x: 1, z: 1 }; // largest magnitudes, for the axes
  }

  get last() {
    const column = this.columns.at(-1);
    return column && { x: column.x.at(-1), z: column.z.at(-1) };
  }

  push(update, axes) {
    const column = { ...update, at: axes && project(axes, update.h) };
    this.columns.push(column);
    if (this.columns.length > this.size) this.columns.shift();
    for (const name of ["x", "z"]) {
      for (const row of update[name]) for (const value of row) this.reach[name] = Math.max(this.reach[name], Math.abs(value));
    }
  }

  project(axes) {
    for (const column of this.columns) column.at = project(axes, column.h);
  }
}

function project({ mean, axes }, h) {
  return axes.map((axis) => axis.reduce((sum, weight, k) => sum + weight * (h[k] - mean[k]), 0));
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// A canvas of this height in the page's pixels, sharp on every screen; its pen, and its width.
function prepare(canvas, height) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  if (height !== null) canvas.style.height = `${height}px`;
  const high = height ?? canvas.clientHeight;
  const pixels = [Math.round(width * scale), Math.round(high * scale)];
  if (canvas.width !== pixels[0]) canvas.width = pixels[0];
  if (canvas.height !== pixels[1]) canvas.height = pixels[1];
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, high);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height: high };
}

function text(pen, words, x, y, align = "left") {
  pen.fillStyle = colour("quiet");
  pen.textAlign = align;
  pen.fillText(words, x, y);
}

// Where columns stand: the newest at the right edge. A row of several in a column stands in its part of it.
function placing(history, width) {
  const each = (width - MARGIN) / history.size;
  const first = history.size - history.columns.length;
  return { each, left: (k) => MARGIN + (first + k) * each };
}

// Step numbers under a plot, and rules where the state began anew.
function drawSteps(pen, history, width, height) {
  const { left } = placing(history, width);
  const { columns } = history;
  if (!columns.length) return;
  pen.strokeStyle = colour("rule");
  pen.lineWidth = 1;
  pen.beginPath();
  columns.forEach((column, k) => {
    if (column.begins) {
      pen.moveTo(left(k), 0);
      pen.lineTo(left(k), height);
    }
  });
  pen.stroke();
  for (let k = columns.length - 1; k >= 0; k -= Math.ceil(history.size / Math.max(2, Math.floor(width / 130)))) {
    const newest = k === columns.length - 1;
    text(pen, columns[k].steps.toLocaleString("en"), newest ? width : left(k), height + 13, newest ? "right" : "center");
  }
}

function drawLine(pen, history, width, channel, name, middle, half) {
  const { each, left } = placing(history, width);
  let drawing = false;
  pen.beginPath();
  history.columns.forEach((column, k) => {
    if (column.begins) drawing = false;
    const rows = column[name];
    rows?.forEach((row, r) => {
      const value = row[channel];
      const x = left(k) + ((r + 1) / rows.length) * each, y = middle - (value / history.reach[name === "y" ? "z" : name]) * half;
      if (value === null) drawing = false;
      else if (drawing) pen.lineTo(x, y);
      else pen.moveTo(x, y);
      if (value !== null) drawing = true;
    });
    if (!rows) drawing = false;
  });
  pen.stroke();
}

// A lane for each channel of the inputs "x", or of the outputs "z" with their targets "y".
export function drawLanes(canvas, history, name, channels) {
  const shown = Math.min(channels, LANES);
  const bottom = shown * LANE_HEIGHT;
  const { pen, width } = prepare(canvas, bottom + AXIS_HEIGHT);
  drawSteps(pen, history, width, bottom);
  for (let k = 0; k < shown; k += 1) {
    const middle = (k + 0.5) * LANE_HEIGHT, half = 0.42 * LANE_HEIGHT;
    pen.lineWidth = 1;
    pen.strokeStyle = colour("rule");
    pen.beginPath();
    pen.moveTo(MARGIN, middle);
    pen.lineTo(width, middle);
    pen.stroke();
    text(pen, `${name}${k + 1}`, 0, middle + 4);
    pen.lineJoin = "round";
    if (name === "z") {
      pen.lineWidth = 7; // wider than the output, which would hide it
      pen.strokeStyle = colour("target");
      drawLine(pen, history, width, k, "y", middle, half);
    }
    pen.lineWidth = 1.8;
    pen.strokeStyle = colour(name === "z" ? "output" : "input");
    drawLine(pen, history, width, k, name, middle, half);
  }
  if (channels > shown) text(pen, `first ${shown} of ${channels}`, MARGIN + 4, 12);
}

function channels(name) {
  const hex = colour(name).slice(1);
  return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

// A unit a row, an update a column; colours from --low over --zero to --high.
export function drawRaster(canvas, history, { units, state_limit }) {
  const bottom = Math.max(150, Math.min(320, 5 * units));
  const { pen, width } = prepare(canvas, bottom + AXIS_HEIGHT);
  const count = history.columns.length;
  if (!count) return;
  const [low, zero, high] = ["low", "zero", "high"].map(channels);
  const image = new ImageData(count, units);
  history.columns.forEach(({ h }, k) => {
    for (let unit = 0; unit < units; unit += 1) {
      const part = Math.min(1, Math.abs(h[unit]) / state_limit), end = h[unit] < 0 ? low : high;
      const at = 4 * (unit * count + k);
      for (let c = 0; c < 3; c += 1) image.data[at + c] = zero[c] + part * (end[c] - zero[c]);
      image.data[at + 3] = 255;
    }
  });
  const small = (drawRaster.small ??= document.createElement("canvas"));
  small.width = count;
  small.height = units;
  small.getContext("2d").putImageData(image, 0, 0);
  const { each, left } = placing(history, width);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, left(0), 0, count * each, bottom);
  drawSteps(pen, history, width, bottom);
  text(pen, "h1", 0, 11);
  text(pen, `h${units}`, 0, bottom - 2);
}

// The state in two principal components: where states of the network lie, the way of the last updates, and now.
export function drawPlane(canvas, history, axes) {
  const { pen, width, height } = prepare(canvas, null);
  if (!axes) return;
  const trail = history.columns.filter((column) => column.at);
  const all = [...axes.points, ...trail.map((column) => column.at)];
  const reach = 1.08 * all.reduce((most, [a, b]) => Math.max(most, Math.abs(a), Math.abs(b)), 1e-6);
  const place = ([a, b]) => [width / 2 + (a / reach) * (width / 2), height / 2 - (b / reach) * (height / 2)];
  pen.strokeStyle = colour("rule");
  pen.beginPath();
  pen.moveTo(0, height / 2);
  pen.lineTo(width, height / 2);
  pen.moveTo(width / 2, 0);
  pen.lineTo(width / 2, height);
  pen.stroke();
  pen.fillStyle = colour("cloud");
  for (const point of axes.points) {
    const [x, y] = place(point);
    pen.fillRect(x - 1, y - 1, 2, 2);
  }
  text(pen, "1", width - 6, height / 2 - 5, "right");
  text(pen, "2", width / 2 + 5, 14);
  pen.strokeStyle = pen.fillStyle = colour("output");
  pen.lineWidth = 1.6;
  trail.slice(1).forEach((column, k) => {
    pen.globalAlpha = 0.08 + 0.92 * ((k + 1) / trail.length) ** 2;
    if (column.begins || column.steps - trail[k].steps > NEAR) {
      const [x, y] = place(column.at);
      pen.fillRect(x - 1.5, y - 1.5, 3, 3);
      return;
    }
    pen.beginPath();
    pen.moveTo(...place(trail[k].at));
    pen.lineTo(...place(column.at));
    pen.stroke();
  });
  pen.globalAlpha = 1;
  if (!trail.length) return;
  pen.fillStyle = colour("output");
  pen.beginPath();
  pen.arc(...place(trail.at(-1).at), 5, 0, 2 * Math.PI);
  pen.fill();
}
