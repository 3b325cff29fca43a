/** A sealed number opens for its receiver, on its way, in its run; not otherwise. */
import { createHash, pbkdf2Sync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { classCheck, roundCheck } from "../src/check";
import { Keys } from "../src/seal";
import { digest, termsOf } from "../src/terms";

const TERMS = termsOf("ring", [3, 4, 5].map((pupil) => ({ pupil, key: `04${"0".repeat(127)}${pupil}` })));
const WAY = { run: "00112233445566778899aabbccddeeff", round: await digest(TERMS), ring: 1, from: 3, to: 4 };
const VALUE = 0x8000_0000_0000_0001n;

describe("seal", () => {
  it("a sealed number opens for its receiver", async () => {
    const [anna, ben] = [await Keys.generate(), await Keys.generate()];
    const sealed = await anna.seal(ben.publicKey, WAY, VALUE);
    expect(sealed.box).toHaveLength(48);
    expect(await ben.open(anna.publicKey, WAY, sealed)).toBe(VALUE);
  });

  it("it does not open for another pupil, on another way, in another run, or changed", async () => {
    const [anna, ben, cem] = [await Keys.generate(), await Keys.generate(), await Keys.generate()];
    const sealed = await anna.seal(ben.publicKey, WAY, VALUE);
    const flip = (text: string) => (text.startsWith("0") ? "1" : "0") + text.slice(1);
    await expect(cem.open(anna.publicKey, WAY, sealed)).rejects.toThrow();
    await expect(ben.open(cem.publicKey, WAY, sealed)).rejects.toThrow();
    for (const other of [{ ring: 0 }, { from: 4, to: 3 }, { to: 5 }, { run: flip(WAY.run) }, { round: await digest(new Uint8Array(3)) }]) {
      await expect(ben.open(anna.publicKey, { ...WAY, ...other }, sealed)).rejects.toThrow();
    }
    await expect(ben.open(anna.publicKey, WAY, { ...sealed, box: flip(sealed.box) })).rejects.toThrow();
    await expect(ben.open(anna.publicKey, WAY, { ...sealed, iv: flip(sealed.iv) })).rejects.toThrow();
    await expect(ben.open(anna.publicKey, WAY, { ...sealed, box: sealed.box.slice(2) })).rejects.toThrow();
  });

  it("the same number sealed twice looks different", async () => {
    const [anna, ben] = [await Keys.generate(), await Keys.generate()];
    const [one, two] = [await anna.seal(ben.publicKey, WAY, VALUE), await anna.seal(ben.publicKey, WAY, VALUE)];
    expect(one.iv).not.toBe(two.iv);
    expect(one.box).not.toBe(two.box);
  });

  it("a key that is no point of the curve is refused", async () => {
    const anna = await Keys.generate();
    await expect(anna.seal(`04${"11".repeat(64)}`, WAY, VALUE)).rejects.toThrow();
    await expect(anna.seal("04", WAY, VALUE)).rejects.toThrow();
  });
});

describe("terms", () => {
  it("differ in the protocol, in a seat, in the order and in a key, byte by byte as written down", async () => {
    const [one, two, three] = [3, 4, 5].map((pupil) => ({ pupil, key: `04${"0".repeat(127)}${pupil}` }));
    if (one === undefined || two === undefined || three === undefined) throw new Error("there are three");
    const bytes = Buffer.concat([
      Buffer.from("sotto/v1/ring/round\0\x06shares"),
      ...[one, two, three].flatMap(({ pupil, key }) => [Buffer.from([0, pupil]), Buffer.from(key, "hex")]),
    ]);
    expect(Buffer.from(termsOf("shares", [one, two, three])).equals(bytes)).toBe(true);
    expect(Buffer.from(await digest(new Uint8Array(bytes)))).toEqual(createHash("sha256").update(bytes).digest());
    const others = [
      termsOf("ring", [one, two, three]),
      termsOf("rings", [one, two, three]),
      termsOf("shares", [one, two]),
      termsOf("shares", [two, one, three]),
      termsOf("shares", [one, two, { pupil: 6, key: three.key }]),
      termsOf("shares", [one, two, { pupil: 5, key: two.key }]),
    ];
    expect(new Set([bytes, ...others].map((each) => Buffer.from(each).toString("hex"))).size).toBe(7);
  });
});

const present = (pupil: number, key: string) => ({ pupil, key, connected: true, leftOut: false });

describe("check", () => {
  it("of a class is the same for the same pupils and another one when a key, a number or the order changes", async () => {
    const [one, two] = [(await Keys.generate()).publicKey, (await Keys.generate()).publicKey];
    const check = await classCheck([present(1, one), present(2, two)]);
    expect(check).toMatch(/^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}$/);
    expect(await classCheck([present(1, one), present(2, two)])).toBe(check);
    expect(await classCheck([present(1, one), present(3, two)])).not.toBe(check);
    expect(await classCheck([present(1, two), present(2, two)])).not.toBe(check);
    expect(await classCheck([present(2, two), present(1, one)])).not.toBe(check);
  });

  it("counts who is connected and not left out", async () => {
    const keys = await Promise.all([1, 2, 3].map(async () => (await Keys.generate()).publicKey));
    const [one = "", two = "", three = ""] = keys;
    const check = await classCheck([present(1, one), present(2, two)]);
    expect(await classCheck([present(1, one), present(2, two), { ...present(3, three), connected: false }])).toBe(check);
    expect(await classCheck([present(1, one), { ...present(3, three), leftOut: true }, present(2, two)])).toBe(check);
    expect(await classCheck([present(1, one), present(2, two), present(3, three)])).not.toBe(check);
  });

  it("is eighty bits of the slow hash that the interface names, for a class and for a round", async () => {
    const key = (await Keys.generate()).publicKey;
    const salt = "sotto/v1/ring/check";
    const own = Buffer.concat([Buffer.from(`${salt}\0\x07`), Buffer.from(key, "hex")]);
    expect(await classCheck([present(7, key)])).toBe(slow(own, salt));
    expect(await roundCheck("rings", [{ pupil: 7, key }])).toBe(slow(Buffer.from(termsOf("rings", [{ pupil: 7, key }])), salt));
    expect(await roundCheck("ring", [{ pupil: 7, key }])).not.toBe(await roundCheck("rings", [{ pupil: 7, key }]));
  });
});

/** The check by another library. */
function slow(password: Buffer, salt: string): string {
  const bits = BigInt(`0x${pbkdf2Sync(password, salt, 131_072, 10, "sha256").toString("hex")}`);
  const letter = (place: number) => "abcdefghijklmnopqrstuvwxyz234567"[Number((bits >> BigInt(75 - 5 * place)) & 31n)];
  return Array.from({ length: 16 }, (_, place) => `${place > 0 && place % 4 === 0 ? "-" : ""}${letter(place)}`).join("");
}
