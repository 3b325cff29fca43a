/** Scale: which values a class plays with, checked on the device before anything is sent. */
import { signed, type Word } from "./word";

/** The values from `min` to `max` in steps of 10^−decimals. */
export interface Scale {
  readonly min: string;
  readonly max: string;
  readonly decimals: number;
}

/** What somebody typed: a value times 10^decimals, or why it is none. */
export type Reading = { readonly units: bigint } | { readonly problem: string };

/** Reads what somebody typed. One comma stands for the point, which many phones do not offer. */
export function read(scale: Scale, typed: string): Reading {
  const text = typed.trim();
  if (text === "") return { problem: `Type a number between ${scale.min} and ${scale.max}` };
  const units = parse(text.replace(/^([^.,]*),([^.,]*)$/, "$1.$2"), scale.decimals);
  if (units === "no number") return { problem: `${shorten(text)} is not a number` };
  if (units === "too fine") return { problem: `${shorten(text)} has more than ${decimals(scale)}: round it` };
  if (units < limit(scale, scale.min) || units > limit(scale, scale.max)) {
    return { problem: `${shorten(text)} is not between ${scale.min} and ${scale.max}` };
  }
  return { units };
}

/** A value or a sum of values with all its decimals. */
export function show(scale: Scale, units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale.decimals + 1, "0");
  const point = digits.length - scale.decimals;
  const fraction = scale.decimals > 0 ? `.${digits.slice(point)}` : "";
  return `${units < 0n ? "-" : ""}${digits.slice(0, point)}${fraction}`;
}

/** A total modulo 2^64 as the sum of so many values; none if no such values have that sum. */
export function total(scale: Scale, announced: Word, pupils: number): bigint | undefined {
  const units = signed(announced);
  const [low, high] = [limit(scale, scale.min), limit(scale, scale.max)];
  const isPossible = low * BigInt(pupils) <= units && units <= high * BigInt(pupils);
  return isPossible ? units : undefined;
}

/** How many values a scale has. */
export function values(scale: Scale): number {
  return Number(limit(scale, scale.max) - limit(scale, scale.min)) + 1;
}

/** An average as it is shown: up to two digits more than the grades have. */
export function showAverage(scale: Scale, average: number): string {
  const [whole = "", fraction = ""] = average.toFixed(scale.decimals + 2).split(".");
  const kept = fraction.slice(0, scale.decimals) + fraction.slice(scale.decimals).replace(/0+$/, "");
  return kept === "" ? whole : `${whole}.${kept}`;
}

/** A limit of a scale in units; the host has checked it, and whoever gets here with another has no scale. */
function limit(scale: Scale, text: string): bigint {
  const units = parse(text, scale.decimals);
  if (typeof units === "string") throw new RangeError("the class has no scale");
  return units;
}

function parse(text: string, decimals: number): bigint | "no number" | "too fine" {
  const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?$/.exec(text);
  const [, sign = "", whole = "", fraction = ""] = match ?? [];
  if (match === null || whole.length + fraction.length === 0) return "no number";
  if (/[1-9]/.test(fraction.slice(decimals))) return "too fine";
  const units = BigInt(`0${whole}${fraction.slice(0, decimals).padEnd(decimals, "0")}`);
  return sign === "-" ? -units : units;
}

function decimals(scale: Scale): string {
  return scale.decimals === 1 ? "1 decimal" : `${scale.decimals} decimals`;
}

function shorten(text: string): string {
  return text.length > 20 ? `${text.slice(0, 20)}…` : text;
}
