/** The teacher's page follows the host's events, and plays the example in the order of its messages. */
import { describe, expect, it } from "vitest";
import { BadAnswer, decodeEvent } from "../src/decode";
import { waves } from "../src/teacher/example";
import { EMPTY, isRunning, reduce, type TeacherState } from "../src/teacher/state";

const RUN = "ab".repeat(16);
const BOX = "ff".repeat(24);

function follow(events: readonly unknown[], state: TeacherState = EMPTY): TeacherState {
  return events.reduce<TeacherState>((before, json) => {
    const event = decodeEvent(json);
    return event === undefined ? before : reduce(before, event);
  }, state);
}

const STARTED = { type: "started", run: RUN, protocol: "ring", seats: [1, 2, 3], rings: [[1, 2, 3]], n: 2 };
const PASSED = { type: "passed", run: RUN, ring: 0, from: 1, to: 2, sealed: BOX, count: 1, of: 3 };

describe("teacher's state", () => {
  it("a round runs from its start to its outcome", () => {
    const running = follow([STARTED, { type: "held", run: RUN, count: 1 }, PASSED]);
    expect(running.play?.hops).toEqual([{ ring: 0, from: 1, to: 2, number: BOX }]);
    expect(running.play?.of).toBe(3);
    expect(isRunning(running.play)).toBe(true);
    const over = follow([{ type: "outcome", run: RUN, pupils: 3, total: "6.0", average: 2 }], running);
    expect(isRunning(over.play)).toBe(false);
  });

  it("a stopped round says why and who may have done it", () => {
    const { play } = follow([STARTED, { type: "stopped", run: RUN, kind: "left", message: "P2 left", suspects: [2] }]);
    expect(play?.stopped).toMatchObject({ message: "P2 left", suspects: [2] });
  });

  it("events of another run change nothing", () => {
    const before = follow([STARTED]);
    expect(follow([{ ...PASSED, run: "cd".repeat(16) }], before)).toEqual(before);
  });

  it("asking again forgets the answers of before", () => {
    const asked = { type: "asked", run: RUN, pupils: [1, 3] };
    const { play } = follow([STARTED, asked, { type: "refused", run: RUN, pupil: 3 }, asked, { type: "shown", run: RUN, pupil: 1 }]);
    expect(play?.refused).toEqual([]);
    expect(play?.shown).toEqual([1]);
  });

  it("an event of another shape is refused, one of an unknown type is passed over", () => {
    expect(() => decodeEvent({ ...STARTED, seats: ["1"] })).toThrow(BadAnswer);
    expect(() => decodeEvent({ type: "announced", run: RUN, from: 1, value: "18446744073709551616" })).toThrow();
    expect(decodeEvent({ type: "alive" })).toBeUndefined();
    expect(decodeEvent({ type: "constructor" })).toBeUndefined();
  });

  it("the example passes all its messages in waves", () => {
    const pupils = Array.from({ length: 5 }, (_, place) => ({ pupil: place + 1, name: "", value: "1.0" }));
    const messages = (count: number) => Array.from({ length: count }, () => ({ ring: 0, from: 1, to: 2, value: "1" }));
    expect(waves({ protocol: "ring", pupils, rings: [[]], messages: messages(5) })).toEqual([1, 1, 1, 1, 1]);
    expect(waves({ protocol: "rings", pupils, rings: [[], []], messages: messages(10) })).toEqual([2, 2, 2, 2, 2]);
    expect(waves({ protocol: "shares", pupils, rings: [], messages: messages(20) })).toEqual([4, 4, 4, 4, 4]);
  });
});
