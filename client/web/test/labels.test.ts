/** Labels: nothing in the picture covers a pupil, and nothing runs out of it. */
import { describe, expect, it } from "vitest";
import { lanes, makePlan, PROTOCOLS } from "../src/protocol/plan";
import { circle, way } from "../src/teacher/geometry";
import { fitting, FRAME, isClear, nameRoom, trip, widthOf, within } from "../src/teacher/labels";

const SIZES = [3, 5, 8, 9, 12, 20, 40];

describe("the picture", () => {
  it("lets no token cover a disc or run out of the frame, on any lane of any protocol", () => {
    const bad: string[] = [];
    for (const pupils of SIZES) {
      const layout = circle(pupils);
      const token = pupils > 12 ? { width: 128, height: 30.4 } : { width: 162, height: 40 };
      for (const protocol of PROTOCOLS) {
        for (const { from, to } of lanes(makePlan(protocol, pupils))) {
          const [start, end] = [layout.places[from], layout.places[to]];
          if (start === undefined || end === undefined) throw new Error("a lane leads nowhere");
          const { at, from: first, rest } = trip(way(start, end, layout.disc + 4, 0), token, layout, []);
          for (const part of [first, rest]) {
            const { x, y } = at(part);
            const isIn = Math.abs(x) + token.width / 2 <= FRAME.width / 2 && Math.abs(y) + token.height / 2 <= -FRAME.top;
            const isGood = isIn && isClear({ x, y, ...token }, layout);
            if (!isGood) bad.push(`${protocol}, ${pupils} pupils, ${from} to ${to}`);
          }
        }
      }
    }
    expect(bad).toEqual([]);
  });

  it("cuts no mark at its sides", () => {
    for (const mark of ["known: 100.0", "stopped here"]) {
      for (const anchor of ["start", "middle", "end"]) {
        for (const x of [-425, 0, 425, 560]) {
          const width = widthOf(mark, 34);
          const start = within(x, anchor, width) - { start: 0, middle: width / 2, end: width }[anchor as "start"];
          expect(start).toBeGreaterThanOrEqual(FRAME.left);
          expect(start + width).toBeLessThanOrEqual(FRAME.left + FRAME.width);
        }
      }
    }
  });

  it("shortens a name of wide letters to the room between its neighbours", () => {
    for (const pupils of SIZES) {
      const { places, gap } = circle(pupils);
      for (const place of places) {
        const room = nameRoom(place, gap);
        expect(widthOf(fitting("W".repeat(24), 22, room), 22)).toBeLessThanOrEqual(Math.max(room, widthOf("W…", 22)));
      }
    }
    expect(fitting("Anna", 22, 100)).toBe("Anna");
  });
});
