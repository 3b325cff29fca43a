/** Class check: a few letters that are the same on all screens when nobody sits between two pupils. */
import { fromHex } from "./protocol/hex";

const LABEL = "sotto/v1/ring/check";
const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";
const KEY_BYTES = 65;
const GROUPS = 3;
const GROUP = 4;

/** The check of everybody's numbers and keys, in the order of the class. */
export async function classCheck(pupils: readonly { pupil: number; key: string }[]): Promise<string> {
  const label = new TextEncoder().encode(LABEL);
  const bytes = new Uint8Array(label.length + pupils.length * (2 + KEY_BYTES));
  bytes.set(label);
  const view = new DataView(bytes.buffer);
  pupils.forEach(({ pupil, key }, place) => {
    const start = label.length + place * (2 + KEY_BYTES);
    view.setUint16(start, pupil);
    bytes.set(fromHex(key, KEY_BYTES), start + 2);
  });
  return letters(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** The first 60 bits in base32, in groups. */
function letters(digest: Uint8Array): string {
  const bits = new DataView(digest.buffer, digest.byteOffset).getBigUint64(0) >> 4n;
  const digits = Array.from({ length: GROUPS * GROUP }, (_, place) => {
    const shift = BigInt(5 * (GROUPS * GROUP - 1 - place));
    return LETTERS[Number((bits >> shift) & 31n)];
  });
  const groups = Array.from({ length: GROUPS }, (_, group) => digits.slice(group * GROUP, (group + 1) * GROUP).join(""));
  return groups.join("-");
}
