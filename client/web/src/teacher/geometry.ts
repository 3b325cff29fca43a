/** Where pupils sit in the picture, and the way of a number between two of them. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The places of so many pupils on a circle. */
export interface Circle {
  readonly places: readonly Point[];
  readonly radius: number;
  /** How far from its place a pupil's disc reaches. */
  readonly disc: number;
  /** The distance of two neighbours. */
  readonly gap: number;
}

const RADIUS = 370;
const LARGEST_DISC = 54;

/** A circle of so many pupils, the first one at the top, clockwise. */
export function circle(pupils: number): Circle {
  const places = Array.from({ length: pupils }, (_, seat) => {
    const angle = (2 * Math.PI * seat) / pupils - Math.PI / 2;
    return { x: RADIUS * Math.cos(angle), y: RADIUS * Math.sin(angle) };
  });
  const gap = pupils > 1 ? 2 * RADIUS * Math.sin(Math.PI / pupils) : 2 * RADIUS;
  return { places, radius: RADIUS, disc: Math.min(LARGEST_DISC, 0.34 * gap), gap };
}

/** A curve from one disc to another. */
export interface Way {
  readonly start: Point;
  readonly bend: Point;
  readonly end: Point;
}

/** The way between two places; `bulge` bends it to its right, so that two directions stay apart. */
export function way(from: Point, to: Point, disc: number, bulge: number): Way {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [ux, uy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const bend = { x: (from.x + to.x) / 2 - uy * bulge, y: (from.y + to.y) / 2 + ux * bulge };
  const edge = (place: Point) => {
    const distance = Math.hypot(bend.x - place.x, bend.y - place.y) || 1;
    const reach = disc / distance;
    return { x: place.x + (bend.x - place.x) * reach, y: place.y + (bend.y - place.y) * reach };
  };
  return { start: edge(from), bend, end: edge(to) };
}

/** The point of a way after this part of it, 0 to 1. */
export function along({ start, bend, end }: Way, part: number): Point {
  const mix = (a: number, b: number, c: number) => (1 - part) ** 2 * a + 2 * part * (1 - part) * b + part ** 2 * c;
  return { x: mix(start.x, bend.x, end.x), y: mix(start.y, bend.y, end.y) };
}

/** The way as SVG path data. */
export function path({ start, bend, end }: Way): string {
  return `M${shorten(start)} Q${shorten(bend)} ${shorten(end)}`;
}

/** A small arrowhead on a way. */
export function arrow(on: Way, part: number, size: number): string {
  const [tip, behind] = [along(on, part), along(on, part - 0.02)];
  const length = Math.hypot(tip.x - behind.x, tip.y - behind.y) || 1;
  const [ux, uy] = [(tip.x - behind.x) / length, (tip.y - behind.y) / length];
  const back = { x: tip.x - ux * size, y: tip.y - uy * size };
  const corner = (side: number) => ({ x: back.x - uy * side * 0.5 * size, y: back.y + ux * side * 0.5 * size });
  return [tip, corner(1), corner(-1)].map(shorten).join(" ");
}

function shorten({ x, y }: Point): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}
