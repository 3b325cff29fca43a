/** Terms: the round as this page was told it, as bytes, so that keys and checks differ when pupils were told different rounds. */
import { fromHex } from "./protocol/hex";
import type { Protocol } from "./protocol/plan";

export const KEY_BYTES = 65;
const LABEL = "sotto/v1/ring/round";

/** A pupil's number and its public key. */
export interface Holder {
  readonly pupil: number;
  readonly key: string;
}

/** The protocol, and who sits where with which key. */
export function termsOf(protocol: Protocol, seats: readonly Holder[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const [label, name] = [text.encode(LABEL), text.encode(protocol)];
  return joined([label, u16(name.length), name, holders(seats)]);
}

/** What stands for a round in the keys of its messages. */
export async function digest(terms: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", terms));
}

/** Numbers and keys, one pupil after the other. */
export function holders(pupils: readonly Holder[]): Uint8Array<ArrayBuffer> {
  return joined(pupils.flatMap(({ pupil, key }) => [u16(pupil), fromHex(key, KEY_BYTES)]));
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    bytes.set(part, start);
    start += part.length;
  }
  return bytes;
}

/** Two bytes, the higher one first. */
export function u16(number: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, number);
  return bytes;
}
