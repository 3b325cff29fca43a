/** Pupils in one room: what they announce is the sum, and nothing is taken that does not belong. */
import { describe, expect, it } from "vitest";
import { makePlan, PROTOCOLS, type Message, type Plan } from "../src/protocol/plan";
import { drawSecrets, Pupil, Unexpected, type Action } from "../src/protocol/pupil";
import { signed, word, type Word } from "../src/protocol/word";

/** A generator whose words can be repeated. */
function generator(seed: bigint): () => Word {
  let state = seed;
  return () => {
    state = word(state * 6364136223846793005n + 1442695040888963407n);
    return word((state >> 13n) ^ (state << 31n));
  };
}

function play(plan: Plan, values: readonly bigint[], order: (queue: Action[]) => Action | undefined) {
  const draw = generator(7n);
  const pupils = values.map((value, seat) => new Pupil(plan, seat, drawSecrets(plan, seat, word(value), draw)));
  const queue = pupils.flatMap((pupil) => pupil.start());
  const learned: Word[] = [];
  for (let action = order(queue); action !== undefined; action = order(queue)) {
    if (action.type === "send") queue.push(...(pupils[action.to]?.receive(action) ?? []));
    if (action.type === "announce") {
      const { from, value } = action;
      for (const pupil of pupils) if (pupil.seat !== from) queue.push(...pupil.hear({ from, value }));
    }
    if (action.type === "learn") learned.push(action.total);
  }
  return { pupils, learned };
}

describe("pupil", () => {
  it("everybody learns the sum, in whatever order messages arrive", () => {
    for (const protocol of PROTOCOLS) {
      for (const pupils of [3, 4, 5, 8, 11]) {
        const values = Array.from({ length: pupils }, (_, seat) => BigInt(seat * seat - 20));
        const total = values.reduce((sum, value) => sum + value, 0n);
        for (const order of [(queue: Action[]) => queue.shift(), (queue: Action[]) => queue.pop()]) {
          const { learned } = play(makePlan(protocol, pupils), values, order);
          expect(learned.map(signed)).toEqual(values.map(() => total));
        }
      }
    }
  });

  it("neighbours of a pupil subtract its value in one ring, and only there", () => {
    const values = [763n, 754n, 671n, 635n, 724n];
    const seen = (protocol: "ring" | "rings") => {
      const { pupils } = play(makePlan(protocol, 5), values, (queue) => queue.shift());
      const into = pupils[2]?.sent.find(({ ring, to }) => ring === 0 && to === 3);
      const out = pupils[4]?.received.find(({ ring, from }) => ring === 0 && from === 3);
      return into && out && signed(word(out.value - into.value));
    };
    expect(seen("ring")).toBe(635n);
    expect(seen("rings")).not.toBe(635n);
  });

  it("a number that does not belong is refused, and the same again changes nothing", () => {
    const plan = makePlan("ring", 3);
    const pupil = new Pupil(plan, 1, { value: 5n, shares: [5n], masks: [] });
    const message: Message = { ring: 0, from: 0, to: 1, value: 7n };
    expect(pupil.receive(message)).toEqual([{ type: "send", ring: 0, from: 1, to: 2, value: 12n }]);
    expect(pupil.receive(message)).toEqual([]);
    expect(() => pupil.receive({ ...message, value: 8n })).toThrow(Unexpected);
    expect(() => pupil.receive({ ...message, from: 2 })).toThrow(Unexpected);
    expect(() => pupil.receive({ ...message, ring: 1 })).toThrow(Unexpected);
    expect(() => pupil.hear({ from: 1, value: 0n })).toThrow(Unexpected);
    expect(pupil.hear({ from: 0, value: 9n })).toEqual([{ type: "learn", total: 9n }]);
    expect(() => pupil.hear({ from: 0, value: 8n })).toThrow(Unexpected);
  });

  it("shares add up to the value modulo 2^64, and only the first seat has masks", () => {
    for (const protocol of PROTOCOLS) {
      const plan = makePlan(protocol, 7);
      for (const seat of [0, 1]) {
        const secrets = drawSecrets(plan, seat, word(-5n), generator(3n));
        expect(signed(word(secrets.shares.reduce((sum, share) => sum + share, 0n)))).toBe(-5n);
        expect(secrets.masks.length).toBe(seat === 0 ? plan.rings.length : 0);
      }
    }
  });
});
