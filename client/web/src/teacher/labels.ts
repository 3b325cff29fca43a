/** Labels: how much of a name fits beside a disc, and where a mark or a travelling number covers nobody. */
import { along, type Circle, type Point, type Way } from "./geometry";

/** What the picture shows of its plane; wide enough for the marks of those who sit at its sides. */
export const FRAME = { left: -600, top: -485, width: 1200, height: 985 } as const;
/** Room between a token and a disc. */
const AIR = 6;
/** Where a token likes to rest, from the best part of its way on. */
const RESTS = [0.7, 0.62, 0.54, 0.46, 0.38, 0.78, 0.3, 0.86, 0.22, 0.14];

/** About how wide a text is drawn: letters differ, and a picture that is not shown yet cannot be measured. */
export function widthOf(text: string, size: number): number {
  const ems = [...text].map((letter) => {
    if (letter > "\u2e7f") return 1.05;
    if (/[MW@%mw…]/u.test(letter)) return 0.98;
    if (/[ijltfrI.,:;'|! ]/u.test(letter)) return 0.36;
    return /\p{Lu}/u.test(letter) ? 0.74 : 0.6;
  });
  return size * ems.reduce((sum, em) => sum + em, 0);
}

/** As much of a name as fits into a width, with an ellipsis when it is cut. */
export function fitting(text: string, size: number, width: number): string {
  if (widthOf(text, size) <= width) return text;
  const letters = [...text];
  while (letters.length > 1 && widthOf(`${letters.join("")}…`, size) > width) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}

/** How much room the name of somebody has who sits there. */
export function nameRoom({ x }: Point, gap: number): number {
  return Math.min(0.92 * gap, 2 * (FRAME.left + FRAME.width - Math.abs(x)) - 12);
}

/** Where a text begins, ends or has its middle: within the frame. */
export function within(x: number, anchor: string, width: number): number {
  const [left, right] = [FRAME.left + 6, FRAME.left + FRAME.width - 6];
  const start = x - { start: 0, end: width, middle: width / 2 }[anchor as "start" | "end" | "middle"];
  return x + Math.max(left - start, 0) - Math.max(start + width - right, 0);
}

interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Point, Size {}

/** Where a token travels, and where it rests. */
export interface Trip {
  readonly at: (part: number) => Point;
  readonly from: number;
  readonly rest: number;
}

/** A token's trip that hides neither discs nor, if it can be, the tokens that rest already. */
export function trip(on: Way, size: Size, layout: Circle, resting: readonly Box[]): Trip {
  const inside = (part: number) => along(on, part);
  const isFree = (part: number) => isClear({ ...inside(part), ...size }, layout);
  const isAlone = (part: number) => !resting.some((other) => overlap({ ...inside(part), ...size }, other));
  const free = RESTS.filter(isFree);
  const rest = free.find(isAlone) ?? free[0];
  if (rest === undefined) return aroundDiscs((part) => outside(inside(part), size, layout), size, resting);
  const steps = Array.from({ length: 25 }, (_, step) => (rest * step) / 24);
  return { at: inside, from: steps.find(isFree) ?? rest, rest };
}

/** A trip around the discs rather than between them. */
function aroundDiscs(at: Trip["at"], size: Size, resting: readonly Box[]): Trip {
  const isAlone = (part: number) => !resting.some((other) => overlap({ ...at(part), ...size }, other));
  const rest = [0.6, 0.4, 0.8, 0.2, 1].find(isAlone) ?? 0.6;
  return { at, from: rest - 0.2, rest };
}

/** The same direction, but outside of the circle of discs. */
function outside({ x, y }: Point, { width, height }: Size, { radius, disc }: Circle): Point {
  const length = Math.hypot(x, y) || 1;
  const [ux, uy] = [x / length, y / length];
  const far = radius + disc + AIR + (Math.abs(ux) * width) / 2 + (Math.abs(uy) * height) / 2;
  return { x: ux * far, y: uy * far };
}

/** Whether a box touches no disc. */
export function isClear({ x, y, width, height }: Box, { places, disc }: Circle): boolean {
  return places.every((place) => {
    const dx = Math.max(Math.abs(place.x - x) - width / 2, 0);
    const dy = Math.max(Math.abs(place.y - y) - height / 2, 0);
    return Math.hypot(dx, dy) >= disc + AIR / 2;
  });
}

function overlap(one: Box, other: Box): boolean {
  const isApartX = Math.abs(one.x - other.x) >= (one.width + other.width) / 2;
  return !isApartX && Math.abs(one.y - other.y) < (one.height + other.height) / 2;
}
