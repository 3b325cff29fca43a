/** Picture: the pupils on a circle, and the numbers that travel between them. */
import { setText, svg } from "../dom";
import { beginning, grouped } from "../names";
import { lanes, makePlan } from "../protocol/plan";
import type { Mode, Scene } from "./director";
import { along, arrow, circle, path, way, type Circle, type Point, type Way } from "./geometry";
import { fitting, FRAME, nameRoom, trip, widthOf, within, type Box } from "./labels";
import type { Hop, Play } from "./state";

/** Dash patterns by which rings are told apart, beside their numbers. */
const DASHES = ["", "14 7", "3 7", "20 6 3 6", "8 4 2 4 2 4", "2 4"];
/** More messages than these at once are not animated: the page was just opened. */
const MOST_ANIMATED = 120;
/** Where discs are closer together, names would cover them: the list of the class has the names. */
const CLOSEST_NAMES = 90;
/** On smaller discs a number has no room: every fifth stands beside its disc. */
const SMALLEST_NUMBERED = 15;
/** What the style sheet gives names and marks, on a wide and on a narrow screen. */
const TEXT_SIZE = { wide: 22, narrow: 34 };
const NARROW = "(max-width: 40rem)";
const DIGITS = { sealed: 8, open: 8, several: 4 };

interface Line {
  readonly way: Way;
  readonly parts: readonly Element[];
}

/** What is written at a pupil when colluders put their views together. */
export interface Marks {
  readonly colluders: ReadonlySet<number>;
  readonly known: ReadonlyMap<number, string>;
}

export class RingPicture {
  readonly node = svg("svg", { viewBox: `${FRAME.left} ${FRAME.top} ${FRAME.width} ${FRAME.height}`, role: "img", "aria-labelledby": "picture-title", class: "ring" });
  private readonly title = svg("title", { id: "picture-title" });
  private readonly lines = svg("g", { class: "lines" });
  private readonly discs = svg("g");
  private readonly tokens = svg("g");
  private readonly byLane = new Map<string, Line>();
  private readonly tokenOf = new Map<string, SVGGElement>();
  private readonly boxOf = new Map<string, Box>();
  private readonly discOf = new Map<number, SVGGElement>();
  private layout: Circle = circle(0);
  private textSize = TEXT_SIZE.wide;
  private drawn = "";
  private passed = 0;

  constructor() {
    this.node.append(this.title, this.lines, this.discs, this.tokens);
  }

  /** Brings the picture up to date; new messages travel for so long. */
  update({ pupils, names, play, mode }: Scene, marks: Marks, travelMs: number): void {
    const seats = play?.seats ?? pupils.map(({ pupil }) => pupil);
    this.textSize = matchMedia(NARROW).matches ? TEXT_SIZE.narrow : TEXT_SIZE.wide;
    const drawn = JSON.stringify([play?.run, seats, seats.map((pupil) => names.get(pupil)), this.textSize]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.draw(seats, names, play);
    }
    if (play !== undefined) this.travel(play, mode, travelMs);
    this.mark(seats, marks, play);
    setText(this.title, describe(seats.length, play));
  }

  private draw(seats: readonly number[], names: ReadonlyMap<number, string>, play: Play | undefined): void {
    this.layout = circle(seats.length);
    this.byLane.clear();
    this.tokenOf.clear();
    this.boxOf.clear();
    this.discOf.clear();
    this.passed = 0;
    this.tokens.replaceChildren();
    this.lines.replaceChildren(svg("circle", { r: 370, class: "circle" }));
    this.lines.classList.toggle("dense", play !== undefined && play.of > 60);
    if (play !== undefined) this.drawLanes(play);
    this.discs.replaceChildren(...seats.map((pupil, seat) => this.disc(pupil, seat, names.get(pupil) ?? "")));
  }

  private drawLanes(play: Play): void {
    const { places, disc } = this.layout;
    const plan = makePlan(play.protocol, play.seats.length);
    const labels: Element[] = [];
    for (const lane of lanes(plan)) {
      const [from, to] = [places[lane.from], places[lane.to]];
      const [fromPupil, toPupil] = [play.seats[lane.from], play.seats[lane.to]];
      if (from === undefined || to === undefined || fromPupil === undefined || toPupil === undefined) continue;
      const bulge = play.protocol === "ring" ? 0 : play.protocol === "shares" ? 9 : lane.ring % 2 === 0 ? 12 : -12;
      const on = way(from, to, disc + 4, bulge);
      const dash = play.protocol === "rings" ? DASHES[lane.ring % DASHES.length] : "";
      const line = svg("path", { d: path(on), class: "lane", "stroke-dasharray": dash || undefined });
      const parts: Element[] = [line];
      if (plan.pupils <= 8 || play.protocol === "ring") {
        const [part, size] = plan.pupils > 8 ? [0.95, 13] : [play.protocol === "shares" ? 0.8 : 0.6, 18];
        parts.push(svg("polygon", { points: arrow(on, part, size), class: "tip" }));
      }
      this.byLane.set(laneKey(lane.ring, fromPupil, toPupil), { way: on, parts });
      this.lines.append(...parts);
      if (play.protocol === "rings" && lane.from === 0) labels.push(ringLabel(on, lane.ring));
    }
    this.lines.append(...labels);
  }

  private disc(pupil: number, seat: number, name: string): SVGGElement {
    const place = this.layout.places[seat] ?? { x: 0, y: 0 };
    const { disc, gap } = this.layout;
    const below = disc + Math.max(18, 0.42 * disc);
    const written = gap < CLOSEST_NAMES ? "" : fitting(name, this.textSize, nameRoom(place, gap));
    const start = svg("text", { class: "start", y: below + (written === "" ? 4 : this.layout.places.length > 8 ? 54 : 28) });
    const group = svg(
      "g",
      { transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`, class: "disc" },
      svg("circle", { r: disc, class: "plate" }),
      svg("circle", { r: disc + (gap < CLOSEST_NAMES ? 5 : 8), class: "second" }),
      numberText(place, disc, pupil, seat),
      svg("text", { class: "name", y: below }, written),
      start,
      markText(place, disc, this.layout.places.length),
    );
    this.discOf.set(pupil, group);
    return group;
  }

  private travel(play: Play, mode: Mode, travelMs: number): void {
    const fresh = play.hops.slice(this.passed);
    this.passed = play.hops.length;
    if (fresh.length === 0) return;
    const isQuiet = fresh.length > MOST_ANIMATED || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.calm();
    for (const hop of fresh) {
      const line = this.byLane.get(laneKey(hop.ring, hop.from, hop.to));
      if (line === undefined) continue;
      for (const part of line.parts) part.classList.add("done", "active");
      this.move(play, hop, mode, line.way, isQuiet ? 0 : travelMs);
    }
  }

  /** No lane is in use any more. */
  private calm(): void {
    for (const line of this.byLane.values()) for (const part of line.parts) part.classList.remove("active");
  }

  /** Moves the token of a ring along; a share's token vanishes where it arrives. */
  private move(play: Play, hop: Hop, mode: Mode, on: Way, travelMs: number): void {
    const key = play.protocol === "shares" ? laneKey(hop.ring, hop.from, hop.to) : String(hop.ring);
    if (play.protocol === "shares" && travelMs === 0) return;
    this.tokenOf.get(key)?.remove();
    this.boxOf.delete(key);
    const { node: token, ...size } = makeToken(tokenText(play, hop, mode), play.seats.length);
    this.tokenOf.set(key, token);
    this.tokens.append(token);
    const { at, from, rest } = trip(on, size, this.layout, play.protocol === "shares" ? [] : [...this.boxOf.values()]);
    const place = at(rest);
    this.boxOf.set(key, { ...place, ...size });
    token.setAttribute("transform", `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`);
    if (travelMs === 0) return;
    const steps = Array.from({ length: 13 }, (_, step) => at(from + ((rest - from) * step) / 12));
    const frames = steps.map(({ x, y }) => ({ transform: `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)` }));
    const moving = token.animate(frames, { duration: travelMs, easing: "ease-in-out" });
    if (play.protocol === "shares") void moving.finished.then(() => token.remove(), () => undefined);
  }

  private mark(seats: readonly number[], { colluders, known }: Marks, play: Play | undefined): void {
    const isOver = play !== undefined && (play.outcome !== undefined || play.stopped !== undefined);
    if (isOver) {
      this.tokens.replaceChildren();
      this.calm();
    }
    const suspects = new Set(play?.stopped?.suspects);
    const marksFirst = play !== undefined && play.protocol !== "shares" && seats.length <= 20;
    seats.forEach((pupil, seat) => {
      const group = this.discOf.get(pupil);
      const text = group?.querySelector(".mark");
      if (group === undefined || text == null) return;
      const start = group.querySelector(".start");
      if (start !== null) setText(start, seat === 0 && marksFirst && !isOver ? "starts with a mask" : "");
      const collusion = colluders.has(pupil) ? "colludes" : "";
      const stop = suspects.has(pupil) ? "stopped here" : "";
      this.write(text, seat, stop || collusion || known.get(pupil) || "");
      group.classList.toggle("colludes", colluders.has(pupil));
      group.classList.toggle("known", known.has(pupil));
      group.classList.toggle("suspect", suspects.has(pupil));
    });
  }

  /** Writes a mark where the frame does not cut it. */
  private write(text: Element, seat: number, mark: string): void {
    setText(text, mark);
    const { x } = this.layout.places[seat] ?? { x: 0 };
    const anchor = text.getAttribute("text-anchor") ?? "middle";
    const wished = x + Number(text.getAttribute("data-x") ?? 0);
    text.setAttribute("x", (within(wished, anchor, widthOf(mark, this.textSize)) - x).toFixed(1));
  }
}

/** The number of a hop as it is written in captions and tables. */
export function shownNumber(hop: Hop, mode: Mode): string {
  return mode === "live" ? (hop.number.match(/.{1,4}/g) ?? []).join("\u2009") : grouped(hop.number);
}

function tokenText(play: Play, hop: Hop, mode: Mode): string {
  const isOne = play.protocol === "ring";
  const digits = isOne ? (mode === "live" ? DIGITS.sealed : DIGITS.open) : DIGITS.several;
  const text = beginning(hop.number, digits);
  return play.protocol === "rings" ? `${hop.ring + 1}: ${text}` : text;
}

interface Token {
  readonly node: SVGGElement;
  readonly width: number;
  readonly height: number;
}

function makeToken(text: string, pupils: number): Token {
  const size = pupils > 12 ? 19 : 25;
  const [width, height] = [text.length * size * 0.62 + 22, size * 1.6];
  const node = svg(
    "g",
    { class: "token" },
    svg("rect", { x: -width / 2, y: -height / 2, width, height, rx: height / 2 }),
    svg("text", { "font-size": size, y: size * 0.36 }, text),
  );
  return { node, width, height };
}

/** The pupil's number on its disc; where discs are tiny, every fifth beside it. */
function numberText({ x, y }: Point, disc: number, pupil: number, seat: number): SVGTextElement {
  if (disc >= SMALLEST_NUMBERED) {
    const size = Math.max(16, 0.62 * disc);
    return svg("text", { class: "number", "font-size": size, y: size * 0.36 }, `P${pupil}`);
  }
  const length = Math.hypot(x, y) || 1;
  const [ux, uy] = [x / length, y / length];
  const text = seat % 5 === 0 ? `P${pupil}` : "";
  return svg("text", { class: "number outside", "font-size": 18, x: ux * -(disc + 24), y: uy * -(disc + 16) + 6 }, text);
}

/** Above the disc; where discs are close together, on the outside of the circle. */
function markText({ x, y }: Point, disc: number, pupils: number): SVGTextElement {
  if (pupils <= 8) return svg("text", { class: "mark", y: -disc - 16 });
  const length = Math.hypot(x, y) || 1;
  const [ux, uy] = [x / length, y / length];
  const anchor = ux > 0.3 ? "start" : ux < -0.3 ? "end" : "middle";
  return svg("text", { class: "mark", "data-x": ux * (disc + 16), y: uy * (disc + 22) + 6, "text-anchor": anchor });
}

function ringLabel(on: Way, ring: number): SVGGElement {
  const { x, y } = along(on, 0.5);
  return svg(
    "g",
    { class: "ring-label", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
    svg("circle", { r: 15 }),
    svg("text", { y: 7 }, String(ring + 1)),
  );
}

function laneKey(ring: number, from: number, to: number): string {
  return `${ring}:${from}:${to}`;
}

function describe(pupils: number, play: Play | undefined): string {
  if (play === undefined) return `${pupils} pupils on a circle. No round has been played.`;
  const what = {
    ring: "One ring: each pupil passes a masked sum on to the next.",
    rings: `${play.rings.length} rings with different neighbours: each carries a share of every grade.`,
    shares: "Every pupil sends a share to every other.",
  }[play.protocol];
  return `${pupils} pupils on a circle. ${what} ${play.hops.length} of ${play.of} messages have passed; the table of messages lists them.`;
}
