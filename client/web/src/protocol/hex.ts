/** Bytes as lower-case hex, the way JSON carries them to the host and back. */

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of a hex text of exactly so many bytes. */
export function fromHex(text: string, length: number): Uint8Array<ArrayBuffer> {
  if (text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) {
    throw new RangeError(`${length} bytes are ${2 * length} hex digits`);
  }
  return Uint8Array.from({ length }, (_, place) => Number.parseInt(text.slice(2 * place, 2 * place + 2), 16));
}
