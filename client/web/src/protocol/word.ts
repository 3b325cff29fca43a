/** Numbers modulo 2^64, in which a masked number can be any, so that it tells nothing. */

/** A number modulo 2^64: 0 ≤ word < 2^64. */
export type Word = bigint;

/** Where words at random come from; an argument, so that tests can give their own. */
export type Draw = () => Word;

const BITS = 64;
const BYTES = 8;

/** The word that is congruent to an integer; negative ones are their two's complement. */
export function word(integer: bigint): Word {
  return BigInt.asUintN(BITS, integer);
}

export function add(left: Word, right: Word): Word {
  return word(left + right);
}

export function subtract(left: Word, right: Word): Word {
  return word(left - right);
}

export function sum(words: Iterable<Word>): Word {
  let total = 0n;
  for (const each of words) total = add(total, each);
  return total;
}

/** The integer from −2^63 to 2^63 − 1 that a word stands for. */
export function signed(value: Word): bigint {
  return BigInt.asIntN(BITS, value);
}

/** A word as 8 bytes, the highest first. */
export function toBytes(value: Word): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BYTES);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** A word from 8 bytes. */
export function fromBytes(bytes: Uint8Array): Word {
  if (bytes.length !== BYTES) throw new RangeError(`a number has ${BYTES} bytes, not ${bytes.length}`);
  return new DataView(bytes.buffer, bytes.byteOffset, BYTES).getBigUint64(0);
}

/** A word from decimal digits, as JSON carries it. */
export function fromDecimal(text: string): Word {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) throw new RangeError("a number is 1 to 20 decimal digits");
  const value = BigInt(text);
  if (value !== word(value)) throw new RangeError("a number is below 2^64");
  return value;
}

/** A uniform word from the browser's generator for secrets. */
export function drawSecret(): Word {
  return fromBytes(crypto.getRandomValues(new Uint8Array(BYTES)));
}
