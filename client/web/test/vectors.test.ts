/** The page computes what the Rust library computes: vectors that the library's own test writes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { classCheck, roundCheck } from "../src/check";
import { fromHex } from "../src/protocol/hex";
import { makePlan, type Message, type Protocol } from "../src/protocol/plan";
import { Pupil, type Action } from "../src/protocol/pupil";
import { fromDecimal, sum } from "../src/protocol/word";
import { viewOf } from "../src/pupil/session";
import { Keys } from "../src/seal";
import { digest, termsOf, type Holder } from "../src/terms";

interface Lane {
  ring: number;
  from: number;
  to: number;
  value: string;
}

interface Owner {
  pupil: number;
  secret: string;
  key: string;
}

interface Vectors {
  rings: { pupils: number; rings: number[][] }[];
  rounds: {
    protocol: Protocol;
    seats: number[];
    rings: number[][];
    pupils: { pupil: number; view: { value: string; shares: string[]; masks: string[]; sent: Lane[]; received: Lane[] } }[];
    messages: Lane[];
    announcements: { from: number; value: string }[];
    total: string;
  }[];
  checks: { pupils: Owner[]; check: string }[];
  round_checks: { protocol: Protocol; seats: Holder[]; check: string }[];
  seals: { run: string; protocol: Protocol; seats: Holder[]; ring: number; from: Owner; to: Owner; value: string; iv: string; box: string }[];
}

const VECTORS = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8")) as Vectors;

const byLane = (one: Lane, other: Lane) => one.ring - other.ring || one.from - other.from || one.to - other.to;

/** Plays a round with the secrets of the vector. */
function replay(round: Vectors["rounds"][number]) {
  const plan = makePlan(round.protocol, round.seats.length);
  const pupils = round.seats.map((number, seat) => {
    const view = round.pupils.find(({ pupil }) => pupil === number)?.view;
    if (view === undefined) throw new Error(`no view of P${number}`);
    const [shares, masks] = [view.shares.map(fromDecimal), view.masks.map(fromDecimal)];
    return new Pupil(plan, seat, { value: fromDecimal(view.value), shares, masks });
  });
  const [messages, announcements]: [Message[], Extract<Action, { type: "announce" }>[]] = [[], []];
  const queue = pupils.flatMap((pupil) => pupil.start());
  for (let action = queue.shift(); action !== undefined; action = queue.shift()) {
    if (action.type === "send") {
      messages.push(action);
      queue.push(...(pupils[action.to]?.receive(action) ?? []));
    }
    if (action.type === "announce") announcements.push(action);
  }
  return { pupils, messages, announcements };
}

describe("vectors", () => {
  it("the rings are the library's", () => {
    expect(VECTORS.rings.length).toBeGreaterThan(5);
    for (const { pupils, rings } of VECTORS.rings) {
      const own = makePlan("rings", pupils).rings.map((ring) => ring.map((seat) => seat + 1));
      expect(own, `${pupils}`).toEqual(rings);
    }
  });

  it("every message, announcement, total and view of a round is the library's", () => {
    expect(new Set(VECTORS.rounds.map(({ protocol }) => protocol)).size).toBe(3);
    for (const round of VECTORS.rounds) {
      const { pupils, messages, announcements } = replay(round);
      const number = (seat: number) => round.seats[seat] ?? 0;
      const sent = messages.map(({ ring, from, to, value }) => ({ ring, from: number(from), to: number(to), value: String(value) }));
      expect(sent.sort(byLane)).toEqual([...round.messages].sort(byLane));
      const announced = announcements.map(({ from, value }) => ({ from: number(from), value: String(value) }));
      expect(announced.sort((a, b) => a.from - b.from)).toEqual([...round.announcements].sort((a, b) => a.from - b.from));
      expect(String(sum(announcements.map(({ value }) => value)))).toBe(round.total);
      for (const pupil of pupils) {
        const expected = round.pupils.find((each) => each.pupil === number(pupil.seat))?.view;
        const own = viewOf(pupil, round.seats) as unknown as NonNullable<typeof expected>;
        const sorted = (view: typeof own) => ({ ...view, sent: [...view.sent].sort(byLane), received: [...view.received].sort(byLane) });
        expect(sorted(own)).toEqual(expected && sorted(expected));
      }
    }
  });

  it("the class check is the library's", async () => {
    expect(VECTORS.checks.length).toBeGreaterThan(0);
    for (const { pupils, check } of VECTORS.checks) {
      expect(await classCheck(pupils.map((pupil) => ({ ...pupil, connected: true, leftOut: false })))).toBe(check);
    }
  });

  it("the round's check is the library's", async () => {
    expect(VECTORS.round_checks.length).toBeGreaterThan(0);
    for (const { protocol, seats, check } of VECTORS.round_checks) expect(await roundCheck(protocol, seats)).toBe(check);
  });

  it("a number is sealed to the library's bytes, and opened from them", async () => {
    for (const { run, protocol, seats, ring, from, to, value, iv, box } of VECTORS.seals) {
      const way = { run, round: await digest(termsOf(protocol, seats)), ring, from: from.pupil, to: to.pupil };
      const [sender, receiver] = [await keysOf(from), await keysOf(to)];
      expect(await sender.seal(to.key, way, fromDecimal(value), fromHex(iv, 12))).toEqual({ iv, box });
      expect(await receiver.open(from.key, way, { iv, box })).toBe(fromDecimal(value));
    }
  });
});

async function keysOf({ secret, key }: Owner): Promise<Keys> {
  const text = (hex: string) => Buffer.from(hex, "hex").toString("base64url");
  const open = { kty: "EC", crv: "P-256", x: text(key.slice(2, 66)), y: text(key.slice(66)) };
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const privateKey = await crypto.subtle.importKey("jwk", { ...open, d: text(secret) }, curve, false, ["deriveBits"]);
  const publicKey = await crypto.subtle.importKey("jwk", open, curve, true, []);
  const keys = await Keys.of({ privateKey, publicKey });
  expect(keys.publicKey).toBe(key);
  return keys;
}
