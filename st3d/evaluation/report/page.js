// What moves in the page: figures by Plotly, tables by DataTables, and one scan to turn.
const read = (name) => JSON.parse(document.getElementById(name).textContent);
const whenSeen = (element, act) => {
  const watcher = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        watcher.disconnect();
        act();
      }
    },
    { rootMargin: "300px" },
  );
  watcher.observe(element);
};

// Figures, each drawn when it comes near the window.
const figures = read("figures-data");
for (const element of document.querySelectorAll(".plot")) {
  whenSeen(element, () => {
    const { data, layout } = figures[element.dataset.figure][Number(element.dataset.panel)];
    Plotly.newPlot(element, data, layout, { displayModeBar: false, responsive: true });
  });
}

// Tables that sort by a click on a heading; a cell's data-order is what counts.
const { ITable } = await import(document.getElementById("datatables").dataset.address);
for (const table of document.querySelectorAll("table.numbers")) {
  const layout = { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null };
  new ITable(table, { paging: false, searching: false, info: false, autoWidth: false, order: [], layout });
}
document.body.dataset.ready = "tables";

// The contents list shows where the reader is.
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const sections = [...links.keys()].map((name) => document.getElementById(name));
const mark = () => {
  const passed = sections.filter((section) => section.getBoundingClientRect().top < window.innerHeight / 3);
  const here = passed.length ? passed[passed.length - 1] : sections[0];
  for (const link of links.values()) link.removeAttribute("aria-current");
  const link = links.get(here.id);
  link.setAttribute("aria-current", "true");
  const list = link.closest("nav");
  list.scrollLeft = link.offsetLeft - list.clientWidth / 3; // on a phone the list is one line
};
document.addEventListener("scroll", mark, { passive: true });
mark();

// One scan in 3D; only one, for a browser has few WebGL contexts.
const { views, stops, unit } = read("views-data");
const INVALID = -32768;
const JUMP = 4; // times the median distance of neighbours: beyond this, two vertices lie on different surfaces
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function unpack(scan) {
  const places = new Int16Array(bytes(scan.xyz).buffer);
  const [score, mask, rgb] = [bytes(scan.score), bytes(scan.mask), bytes(scan.rgb)];
  const index = new Int32Array(scan.rows * scan.columns).fill(-1);
  const points = { x: [], y: [], z: [], score: [], mask: [], rgb: [] };
  for (let cell = 0; cell < index.length; cell += 1) {
    if (places[3 * cell] === INVALID) continue;
    index[cell] = points.x.length;
    const [x, y, z] = places.subarray(3 * cell, 3 * cell + 3);
    points.x.push(x / scan.per_mm); // the sensor looks along z; here the camera's side is up
    points.y.push(-y / scan.per_mm);
    points.z.push(-z / scan.per_mm);
    points.score.push(score[cell]);
    points.mask.push(mask[cell]);
    if (rgb.length) points.rgb.push(`rgb(${rgb[3 * cell]},${rgb[3 * cell + 1]},${rgb[3 * cell + 2]})`);
  }
  return { points, faces: faces(scan, index, points) };
}

function faces(scan, index, points) {
  const distance = (a, b) =>
    Math.hypot(points.x[a] - points.x[b], points.y[a] - points.y[b], points.z[a] - points.z[b]);
  const all = [];
  for (let row = 0; row + 1 < scan.rows; row += 1) {
    for (let column = 0; column + 1 < scan.columns; column += 1) {
      const cell = row * scan.columns + column;
      const [a, b, c, d] = [cell, cell + 1, cell + scan.columns, cell + scan.columns + 1].map((each) => index[each]);
      for (const face of [[a, b, c], [b, d, c]]) {
        if (face.every((each) => each >= 0)) all.push(face);
      }
    }
  }
  const spans = all.map(([a, b, c]) => Math.max(distance(a, b), distance(b, c), distance(a, c)));
  const limit = JUMP * [...spans].sort((a, b) => a - b)[Math.floor(spans.length / 2)];
  return all.filter((_, number) => spans[number] <= limit);
}

const VIRIDIS = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];
const TRUTH = ["#d3d9df", "#1a6bcc"];

// What each vertex shows: values, the ends of their scale and its colours. RGB has none of these.
function meaning(points, kind, view) {
  if (kind === "score") {
    const values = points.score.map((each) => view.low + (each / 255) * (view.high - view.low));
    return { values, low: view.low, high: view.high, colours: stops, bar: true };
  }
  if (kind === "mask") return { values: points.mask, low: 0, high: 1, colours: TRUTH, bar: false };
  const sorted = [...points.z].sort((a, b) => a - b); // without the few outliers
  const [low, high] = [0.01, 0.99].map((share) => sorted[Math.floor(share * (sorted.length - 1))]);
  return { values: points.z, low, high, colours: VIRIDIS, bar: true };
}

function coloured({ values, low, high, colours }) {
  const parts = colours.map((colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16)));
  return values.map((value) => {
    const place = Math.min(Math.max((value - low) / (high - low || 1), 0), 1) * (parts.length - 1);
    const below = Math.min(Math.floor(place), parts.length - 2);
    const mixed = parts[below].map((each, number) => each + (place - below) * (parts[below + 1][number] - each));
    return `rgb(${mixed.map(Math.round).join(",")})`;
  });
}

// Colours of vertices in every case: after values on a scale, Plotly mixes the last ones into RGB.
function traces({ points, faces: found }, kind, view) {
  const shown = kind === "rgb" ? null : meaning(points, kind, view);
  const colours = shown ? coloured(shown) : points.rgb;
  const joined = new Set(found.flat());
  const alone = points.x.map((_, number) => number).filter((number) => !joined.has(number));
  const pick = (values) => alone.map((number) => values[number]);
  const surface = {
    type: "mesh3d", x: points.x, y: points.y, z: points.z, vertexcolor: colours, hoverinfo: "skip",
    i: found.map((face) => face[0]), j: found.map((face) => face[1]), k: found.map((face) => face[2]),
    lighting: { ambient: 0.55, diffuse: 0.65, specular: 0.05, roughness: 0.9, fresnel: 0.05 },
    lightposition: { x: -2000, y: 1500, z: 4000 },
  };
  const dots = { type: "scatter3d", mode: "markers", hoverinfo: "skip", showlegend: false };
  const cloud = { ...dots, x: pick(points.x), y: pick(points.y), z: pick(points.z), marker: { size: 2, color: pick(colours) } };
  if (!shown?.bar) return [surface, cloud];
  const colorscale = shown.colours.map((colour, number) => [number / (shown.colours.length - 1), colour]);
  const colorbar = { thickness: 12, len: 0.7, outlinewidth: 0 };
  const marker = { size: 2, color: [shown.low], cmin: shown.low, cmax: shown.high, colorscale, colorbar, showscale: true };
  return [surface, cloud, { ...dots, x: [null], y: [null], z: [null], marker }]; // the last for its bar alone
}

const stage = document.getElementById("view");
if (stage) {
  const category = document.getElementById("view-category");
  const choice = document.getElementById("view-scan");
  const buttons = [...document.querySelectorAll("[data-colour]")];
  const caption = document.getElementById("view-caption");
  const axis = { visible: false };
  const back = stage.clientWidth < 600 ? 1.5 : 1; // a narrow window needs more distance
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 },
    font: { family: "system-ui, sans-serif", size: 12, color: "#1f2733" },
    uirevision: "camera",
    scene: { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "data", camera: { eye: { x: 0.3 * back, y: -back, z: 0.95 * back }, center: { x: 0, y: 0, z: -0.12 } } },
  };
  const described = { score: `score, ${unit}`, mask: "ground truth, defects in blue", height: "height in mm, towards the sensor", rgb: "RGB" };
  let [kind, shown] = ["score", null];

  const draw = async () => {
    const view = views[category.value];
    stage.dataset.drawn = "";
    caption.textContent = `${view.scans[Number(choice.value)].caption}. Colour: ${described[kind]}. Drag to turn, scroll or pinch to come nearer.`;
    await Plotly.react(stage, traces(shown, kind, view), layout, { displaylogo: false, responsive: true, modeBarButtons: [["resetCameraDefault3d", "toImage"]] });
    stage.dataset.drawn = `${category.value} ${choice.value} ${kind}`;
  };
  const select = () => {
    const scan = views[category.value].scans[Number(choice.value)];
    shown = unpack(scan);
    const coloured = shown.points.rgb.length > 0;
    buttons.find((button) => button.dataset.colour === "rgb").disabled = !coloured;
    if (kind === "rgb" && !coloured) press("score");
    return draw();
  };
  const fill = () => {
    const scans = views[category.value].scans;
    choice.replaceChildren(...scans.map((scan, number) => new Option(scan.caption, number)));
    const quality = scans.map((scan) => scan.au_pro ?? 0); // first the scan whose defect is found best
    choice.value = String(quality.indexOf(Math.max(...quality)));
    return select();
  };
  const press = (chosen) => {
    kind = chosen;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.colour === kind));
  };
  category.addEventListener("change", fill);
  choice.addEventListener("change", select);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      press(button.dataset.colour);
      draw();
    });
  }
  whenSeen(stage, fill);
}
