/** The rings that a page recomputes: the host cannot give it others. */
import { describe, expect, it } from "vitest";
import { FEWEST, hasLane, lanes, makePlan, MOST, predecessor, PROTOCOLS, successor, type Lane } from "../src/protocol/plan";

describe("plan", () => {
  it("walecki's rings pass everybody once and join every pair", () => {
    for (let pupils = FEWEST; pupils <= MOST; pupils += 1) {
      const plan = makePlan("rings", pupils);
      expect(plan.rings.length).toBe(Math.floor(pupils / 2));
      for (const ring of plan.rings) {
        expect(ring[0]).toBe(0);
        expect(new Set(ring).size).toBe(pupils);
      }
      const isWrong = ({ ring, from, to }: Lane) => successor(plan, ring, from) !== to || predecessor(plan, ring, to) !== from;
      expect(lanes(plan).filter(isWrong)).toEqual([]);
      const uses = new Map<string, number>();
      for (const { from, to } of lanes(plan)) {
        const edge = [Math.min(from, to), Math.max(from, to)].join();
        uses.set(edge, (uses.get(edge) ?? 0) + 1);
      }
      expect(uses.size).toBe((pupils * (pupils - 1)) / 2);
      if (pupils % 2 === 1) expect(Math.max(...uses.values())).toBe(1);
    }
  });

  it("every lane is the plan's, and no other is", () => {
    for (const protocol of PROTOCOLS) {
      const plan = makePlan(protocol, 6);
      const all = new Set(lanes(plan).map(({ ring, from, to }) => `${ring}:${from}:${to}`));
      for (let ring = -1; ring <= 3; ring += 1)
        for (let from = -1; from <= 6; from += 1)
          for (let to = -1; to <= 6; to += 1) {
            expect(hasLane(plan, { ring, from, to }), `${protocol} ${ring} ${from} ${to}`).toBe(all.has(`${ring}:${from}:${to}`));
          }
    }
  });

  it("too few and too many pupils are refused with the numbers allowed", () => {
    for (const pupils of [0, 2, MOST + 1, 3.5]) expect(() => makePlan("ring", pupils)).toThrow("3 to 100");
  });
});
