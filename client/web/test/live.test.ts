/** The live class on the teacher's page: what a press asks the host for, and what a page that is loaded again remembers. */
import { describe, expect, it } from "vitest";
import type { HostEvent } from "../src/events";
import type { Host } from "../src/host";
import { LiveClass } from "../src/teacher/live";

const STARTED: HostEvent = { type: "started", run: "11", protocol: "ring", seats: [1, 2, 3], rings: [[1, 2, 3]] };

class Desk {
  readonly sent: Record<string, unknown>[] = [];
  refusal: Error | undefined;
  private tell: ((event: HostEvent) => Promise<void> | void) | undefined;
  readonly lesson: LiveClass;

  constructor(memory: Map<string, string>) {
    const host = {
      send: async (body: Record<string, unknown>) => {
        this.sent.push(body);
        if (this.refusal !== undefined) throw this.refusal;
      },
      listen: async (onEvent: (event: HostEvent) => Promise<void> | void) => {
        this.tell = onEvent;
      },
    };
    const storage = { getItem: (key: string) => memory.get(key) ?? null, setItem: (key: string, value: string) => void memory.set(key, value) };
    this.lesson = new LiveClass(host as unknown as Host, 800, () => undefined, storage);
    this.lesson.listen();
  }

  async hear(event: HostEvent): Promise<void> {
    await this.tell?.(event);
  }
}

describe("the live class", () => {
  it("asks for one round when Play is pressed twice", async () => {
    const { lesson, sent, hear } = bound(new Desk(new Map()));
    lesson.play("ring");
    lesson.play("ring");
    lesson.step("ring");
    expect(sent).toEqual([{ type: "play", protocol: "ring", pace_ms: 800 }]);
    await hear(STARTED);
    lesson.step("ring");
    expect(sent.slice(1)).toEqual([{ type: "pace", pace_ms: 0 }, { type: "step" }]);
  });

  it("lets a refused press be repeated, and forgets the refusal when a round starts", async () => {
    const desk = new Desk(new Map());
    desk.refusal = new Error("It takes 3 pupils.");
    desk.lesson.play("ring");
    await new Promise((resolve) => setTimeout(resolve));
    expect(desk.lesson.scene().problem).toBe("It takes 3 pupils.");
    desk.refusal = undefined;
    desk.lesson.play("ring");
    expect(desk.sent).toHaveLength(2);
    desk.refusal = new Error("P9 is not in the class.");
    desk.lesson.leaveOut(9, true);
    await new Promise((resolve) => setTimeout(resolve));
    expect(desk.lesson.scene().problem).toBe("P9 is not in the class.");
    await desk.hear(STARTED);
    expect(desk.lesson.scene().problem).toBe("");
  });

  it("still waits for steps when the page is loaded again", async () => {
    const memory = new Map<string, string>();
    const before = new Desk(memory);
    before.lesson.step("ring");
    await before.hear(STARTED);
    const after = new Desk(memory);
    await after.hear(STARTED);
    expect(after.lesson.scene().isPaused).toBe(true);
    after.lesson.play("ring");
    expect(after.sent).toEqual([{ type: "pace", pace_ms: 800 }]);
    expect(new Desk(memory).lesson.scene().isPaused).toBe(false);
  });
});

function bound(desk: Desk) {
  return { lesson: desk.lesson, sent: desk.sent, hear: (event: HostEvent) => desk.hear(event) };
}
