// Where the bars, bands and numbers of the flow lie. Pure: counts in, places out.
//
// `along` runs from know to truth, `across` is beside it: x and y on a wide screen, y and x on a phone. Bands
// leave a bar from its far side and enter the next on its near side, in an order in which nothing crosses that
// need not: first the moves that skip moments (longest first), then the moment before or after with what came
// from or goes to outside, then the moves back (longest first).

export const MOMENTS = ["know", "go", "do", "buy", "truth"];
const BAR = 14;
const LANE = { wide: 7, upright: 4 };
const GREATEST = { wide: 150, upright: 92 };
const THINNEST = 1.5;
const MOVES = new Set(["advanced", "returned", "converted"]);

const sum = (list, of = (x) => x) => list.reduce((total, x) => total + of(x), 0);
const longestFirst = (a, b) => Math.abs(b.to - b.from) - Math.abs(a.to - a.from) || b.from - a.from;

/** Counts as links between numbered moments, and what came in and left for good at each. */
function readMoves(moves) {
  const between = new Map();
  const opened = MOMENTS.map(() => 0);
  const left = MOMENTS.map(() => 0);
  for (const move of moves) {
    const from = MOMENTS.indexOf(move.from);
    const to = MOMENTS.indexOf(move.to);
    if (move.count <= 0) continue;
    if (move.kind === "abandoned" && from >= 0) left[from] += move.count;
    else if (from < 0 && to >= 0 && move.kind === "opened") opened[to] += move.count; // a purchase from nowhere is one too
    else if (MOVES.has(move.kind) && from >= 0 && to >= 0 && from !== to) {
      const key = `${from}${to}`;
      const link = between.get(key) ?? { key, from, to, count: 0 };
      link.count += move.count;
      between.set(key, link);
    }
  }
  return { links: [...between.values()], opened, left };
}

/**
 * Places for a flow in a box `width` px wide: {width, height, bars, bands, gone, come}. A band has a path, a
 * stroke width and a place for its number; `upright` turns everything by a quarter.
 */
export function layout(moves, { width, upright }) {
  const { links, opened, left } = readMoves(moves);
  const kind = upright ? "upright" : "wide";
  const gap = LANE[kind];
  const into = MOMENTS.map((_, i) => opened[i] + sum(links.filter((l) => l.to === i), (l) => l.count));
  const outOf = MOMENTS.map((_, i) => left[i] + sum(links.filter((l) => l.from === i), (l) => l.count));
  const scale = GREATEST[kind] / Math.max(1, ...into, ...outOf);
  const thick = (count) => (count > 0 ? Math.max(THINNEST, count * scale) : 0);
  for (const link of links) link.thick = thick(link.count);

  const skips = links.filter((l) => l.to - l.from > 1).sort(longestFirst);
  const returns = links.filter((l) => l.to < l.from).sort(longestFirst);
  const next = links.filter((l) => l.to - l.from === 1);
  const room = (list) => sum(list, (l) => l.thick + gap);
  const top = (upright ? 10 : 28) + room(skips) + 14;
  const axis = top + GREATEST[kind] / 2;
  const depth = top + GREATEST[kind] + 14 + room(returns) + 8;

  // Along: the first bar leaves room for the moves back to it, which turn before it.
  const turning = sum(returns.filter((l) => l.to === 0), (l) => l.thick + 4);
  const before = Math.max(upright ? 48 : 70, 26 + 0.75 * (16 + 1.25 * turning));
  const after = upright ? 56 : 96;
  const pace = upright ? 116 : (width - before - after) / (MOMENTS.length - 1);
  const near = (i) => before + i * pace;
  const far = (i) => near(i) + BAR;
  const squeeze = upright ? width / depth : 1; // across is fitted into the width of a phone
  const point = (along, across) =>
    upright ? `${(across * squeeze).toFixed(1)} ${along.toFixed(1)}` : `${along.toFixed(1)} ${across.toFixed(1)}`;
  const at = (along, across) => (upright ? { x: across * squeeze, y: along } : { x: along, y: across });
  const stroke = (w) => Math.max(THINNEST, w * squeeze);

  const bars = MOMENTS.map((moment, i) => {
    const size = Math.max(6, thick(into[i]), thick(outOf[i]));
    const start = axis - size / 2;
    const a = at(near(i), start);
    return {
      moment, start, size, count: into[i], x: a.x, y: a.y,
      width: upright ? size * squeeze : BAR, height: upright ? BAR : size,
      name: upright ? { x: a.x + (size * squeeze) / 2, y: near(i) - 8 } : { x: near(i) + BAR / 2, y: 14 },
    };
  });

  const gone = [];
  const come = [];
  MOMENTS.forEach((moment, i) => {
    const away = { end: true, count: left[i], thick: thick(left[i]) };
    const from = [...skips.filter((l) => l.from === i), ...next.filter((l) => l.from === i), away, ...returns.filter((l) => l.from === i)];
    let place = bars[i].start;
    for (const link of from) {
      link.out = place + link.thick / 2;
      place += link.thick;
    }
    const fresh = { count: opened[i], thick: thick(opened[i]) };
    const to = [...skips.filter((l) => l.to === i), fresh, ...next.filter((l) => l.to === i), ...returns.filter((l) => l.to === i)];
    place = bars[i].start;
    for (const link of to) {
      link.in = place + link.thick / 2;
      place += link.thick;
    }
    // How far a band runs before it turns: the outer ones of a bundle turn around the inner ones.
    const reach = (list, name) => {
      let run = 0;
      for (const link of list) {
        link[name] = run + link.thick / 2;
        run += link.thick + 4;
      }
    };
    reach(skips.filter((l) => l.from === i), "reachOut");
    reach(skips.filter((l) => l.to === i), "reachInto");
    reach(returns.filter((l) => l.from === i).reverse(), "reachOut");
    reach(returns.filter((l) => l.to === i).reverse(), "reachInto");
    if (away.count) {
      const a = far(i);
      const d = `M${point(a, away.out)} C${point(a + 22, away.out)} ${point(a + 30, away.out + 4)} ${point(a + 44, away.out + 10)}`;
      gone.push({ moment, count: away.count, d, thick: stroke(away.thick) });
    }
    if (fresh.count) {
      const b = near(i);
      come.push({ moment, count: fresh.count, d: `M${point(b - 42, fresh.in)} L${point(b, fresh.in)}`, thick: stroke(fresh.thick), label: at(b - 8, fresh.in), from: at(b - 42, fresh.in), to: at(b, fresh.in) });
    }
  });

  const bend = upright ? 30 : Math.min(46, pace * 0.3);
  let lane = top - 14;
  for (const link of [...skips].reverse()) {
    lane -= (link.thick + gap) / 2;
    const a = far(link.from) + link.reachOut;
    const b = near(link.to) - link.reachInto;
    const y = lane;
    link.d = `M${point(far(link.from), link.out)} C${point(a + bend * 0.6, link.out)} ${point(a + bend * 0.1, y)} ${point(a + bend * 1.1, y)}` +
      ` L${point(b - bend * 1.1, y)} C${point(b - bend * 0.1, y)} ${point(b - bend * 0.6, link.in)} ${point(near(link.to), link.in)}`;
    link.label = at((far(link.from) + near(link.to)) / 2, y);
    link.way = "skip";
    lane -= (link.thick + gap) / 2;
  }
  lane = top + GREATEST[kind] + 14;
  for (const link of [...returns].reverse()) {
    lane += (link.thick + gap) / 2;
    const a = far(link.from);
    const b = near(link.to);
    const y = lane;
    const out = 16 + link.reachOut * 1.25;
    const back = 16 + link.reachInto * 1.25;
    link.d = `M${point(a, link.out)} C${point(a + out, link.out)} ${point(a + out, y)} ${point(a - 4, y)}` +
      ` L${point(b + 4, y)} C${point(b - back, y)} ${point(b - back, link.in)} ${point(b, link.in)}`;
    link.label = at((a + b) / 2, y);
    link.way = "return";
    lane += (link.thick + gap) / 2;
  }
  for (const link of next) {
    const a = far(link.from);
    const b = near(link.to);
    const middle = (a + b) / 2;
    link.d = `M${point(a, link.out)} C${point(middle, link.out)} ${point(middle, link.in)} ${point(b, link.in)}`;
    link.label = at(middle, (link.out + link.in) / 2);
    link.way = "next";
  }
  const bands = [...skips, ...next, ...returns].map((l) => ({
    key: l.key, from: MOMENTS[l.from], to: MOMENTS[l.to], way: l.way, count: l.count, d: l.d, thick: stroke(l.thick), label: l.label,
  }));
  return { width, height: upright ? near(MOMENTS.length - 1) + BAR + 40 : depth, bars, bands, gone, come };
}
