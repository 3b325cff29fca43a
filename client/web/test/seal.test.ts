/** A sealed number opens for its receiver, on its way, in its run; not otherwise. */
import { describe, expect, it } from "vitest";
import { classCheck } from "../src/check";
import { Keys } from "../src/seal";

const WAY = { run: "00112233445566778899aabbccddeeff", ring: 1, from: 3, to: 4 };
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
    for (const other of [{ ring: 0 }, { from: 4, to: 3 }, { to: 5 }, { run: flip(WAY.run) }]) {
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

describe("class check", () => {
  it("is the same for the same class and another one when a key, a number or the order changes", async () => {
    const [one, two] = [(await Keys.generate()).publicKey, (await Keys.generate()).publicKey];
    const check = await classCheck([{ pupil: 1, key: one }, { pupil: 2, key: two }]);
    expect(check).toMatch(/^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}$/);
    expect(await classCheck([{ pupil: 1, key: one }, { pupil: 2, key: two }])).toBe(check);
    expect(await classCheck([{ pupil: 1, key: one }, { pupil: 3, key: two }])).not.toBe(check);
    expect(await classCheck([{ pupil: 1, key: two }, { pupil: 2, key: two }])).not.toBe(check);
    expect(await classCheck([{ pupil: 2, key: two }, { pupil: 1, key: one }])).not.toBe(check);
  });
});
