/** Checks: letters that are the same on all screens when all have the same list of pupils with the same keys. */
import type { Protocol } from "./protocol/plan";
import { toHex } from "./protocol/hex";
import { holders, joined, termsOf, type Holder } from "./terms";

const LABEL = "sotto/v1/ring/check";
const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";
/** Slow on purpose: who looks for two classes with one check pays this for every try. */
const ITERATIONS = 1 << 17;
const CHECK_BYTES = 10;
const GROUP = 4;
/** A class comes and goes between few states. */
const REMEMBERED = 16;

const before = new Map<string, Promise<string>>();

/** A pupil of the class, who counts when it is present. */
export interface Present extends Holder {
  readonly connected: boolean;
  readonly leftOut: boolean;
}

export function isPresent({ connected, leftOut }: Present): boolean {
  return connected && !leftOut;
}

/** The check of everybody who is present, in the order of the class. */
export async function classCheck(pupils: readonly Present[]): Promise<string> {
  return check(joined([new TextEncoder().encode(LABEL), holders(pupils.filter(isPresent))]));
}

/** The check of a round: who sits where with which key, and what they play. */
export async function roundCheck(protocol: Protocol, seats: readonly Holder[]): Promise<string> {
  return check(termsOf(protocol, seats));
}

/** Computed once for the same bytes. */
function check(password: Uint8Array<ArrayBuffer>): Promise<string> {
  const name = toHex(password);
  const known = before.get(name);
  if (known !== undefined) return known;
  const made = derive(password);
  before.set(name, made);
  const [oldest] = before.keys();
  if (before.size > REMEMBERED && oldest !== undefined) before.delete(oldest);
  return made;
}

async function derive(password: Uint8Array<ArrayBuffer>): Promise<string> {
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const parameters = { name: "PBKDF2", hash: "SHA-256", salt: new TextEncoder().encode(LABEL), iterations: ITERATIONS };
  return letters(new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 8 * CHECK_BYTES)));
}

/** Base32, in groups. */
function letters(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const digits = (bits.match(/.{5}/g) ?? []).map((five) => LETTERS[Number.parseInt(five, 2)]).join("");
  return (digits.match(new RegExp(`.{${GROUP}}`, "g")) ?? []).join("-");
}
