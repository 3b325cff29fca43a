/** A pupil's page against honest and dishonest hosts, without a browser window. */
import { describe, expect, it } from "vitest";
import type { ClassEvent, HostEvent, Started } from "../src/events";
import { makePlan, type Protocol } from "../src/protocol/plan";
import { Session } from "../src/pupil/session";
import { Keys } from "../src/seal";

const RUN = "00112233445566778899aabbccddeeff";

/** A room of pupils and an honest host that hands on what they send. */
class Room {
  readonly sessions: Session[] = [];
  readonly sent: Record<string, unknown>[] = [];
  private readonly inbox: (() => Promise<void>)[] = [];

  static async of(units: readonly bigint[]): Promise<Room> {
    const room = new Room();
    const keys = await Promise.all(units.map(() => Keys.generate()));
    keys.forEach((pair, place) => {
      const send = async (body: Record<string, unknown>) => room.take(place + 1, body);
      room.sessions.push(new Session(pair, place + 1, { send }, () => undefined));
    });
    await room.tell(room.classEvent(keys.map(({ publicKey }) => publicKey)));
    for (const [place, session] of room.sessions.entries()) await session.setValue(units[place] ?? 0n);
    return room;
  }

  classEvent(keys: readonly string[]): ClassEvent {
    const pupils = keys.map((key, place) => ({ pupil: place + 1, name: "", key, connected: true, ready: true, leftOut: false }));
    return { type: "class", scale: { min: "0.0", max: "100.0", decimals: 1 }, pupils, you: null, code: "", link: "" };
  }

  async tell(event: HostEvent): Promise<void> {
    for (const session of this.sessions) await session.handle(event);
  }

  async settle(): Promise<void> {
    for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) await next();
  }

  private take(from: number, body: Record<string, unknown>): void {
    this.sent.push(body);
    const { type, run, ring, to, iv, box, value } = body as Record<string, string>;
    if (type === "sealed") {
      const deliver = { type: "deliver", run, ring, from, iv, box } as unknown as HostEvent;
      this.inbox.push(async () => this.sessions[Number(to) - 1]?.handle(deliver));
    }
    if (type === "announce") this.inbox.push(() => this.tell({ type: "announced", run: String(run), from, value: BigInt(value ?? "") }));
  }
}

function started(protocol: Protocol, pupils: number, run = RUN): Started {
  const seats = Array.from({ length: pupils }, (_, place) => place + 1);
  const rings = makePlan(protocol, pupils).rings.map((ring) => ring.map((seat) => seat + 1));
  return { type: "started", run, protocol, seats, rings };
}

describe("session", () => {
  for (const protocol of ["ring", "rings", "shares"] as const) {
    it(`${protocol}: everybody computes the total, and no grade and no masked number is sent in the clear`, async () => {
      const room = await Room.of([763n, 754n, 671n, 635n, 724n]);
      await room.tell(started(protocol, 5));
      await room.settle();
      await room.tell({ type: "outcome", run: RUN, pupils: 5, total: "354.7", average: 70.94 });
      for (const session of room.sessions) {
        expect(session.round?.problem).toBeUndefined();
        expect(session.round?.outcome?.total).toBe("354.7");
      }
      const sealed = room.sent.filter(({ type }) => type !== "announce").map((body) => JSON.stringify(body)).join();
      for (const { round } of room.sessions) {
        const numbers = [...(round?.pupil?.sent ?? []), ...(round?.pupil?.received ?? [])];
        expect(numbers.length).toBeGreaterThan(1);
        for (const { value } of numbers) {
          expect(sealed).not.toContain(value.toString());
          expect(sealed).not.toContain(value.toString(16).padStart(16, "0"));
        }
      }
    });
  }

  it("a total that is not the sum of the announcements is not believed", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    await room.tell(started("ring", 3));
    await room.settle();
    await room.tell({ type: "outcome", run: RUN, pupils: 3, total: "6.1", average: 2.03 });
    expect(room.sessions[0]?.round?.problem).toContain("not the sum");
  });

  it("rings that are not walecki's, a repeated run, a seat for nobody and two seats for one are refused", async () => {
    const room = await Room.of([10n, 20n, 30n, 40n, 50n]);
    const [session] = room.sessions;
    const honest = started("rings", 5);
    const crooked = [
      { ...honest, rings: [honest.rings[0] ?? [], honest.rings[0] ?? []] },
      { ...honest, rings: honest.rings.slice(1) },
      { ...honest, protocol: "shares" as const },
      { ...honest, seats: [1, 2, 3, 4, 9] },
      { ...honest, seats: [1, 2, 3, 4, 4] },
      { ...honest, seats: [1, 2] },
    ];
    for (const [place, event] of crooked.entries()) {
      await session?.handle({ ...event, run: `${place}`.repeat(32) });
      expect(session?.round?.problem, JSON.stringify(event)).toBeDefined();
      expect(session?.isPlaying).toBe(false);
    }
    expect(room.sent.filter(({ type }) => type !== "ready")).toEqual([]);
    await session?.handle(honest);
    expect(session?.isPlaying).toBe(true);
    await session?.handle(honest);
    expect(session?.round?.problem).toContain("repeats");
  });

  it("a host that changes a key is found out", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [session] = room.sessions;
    const own = session?.class?.pupils.map(({ key }) => key) ?? [];
    const other = (await Keys.generate()).publicKey;
    await session?.handle(room.classEvent([own[0] ?? "", other, own[2] ?? ""]));
    expect(session?.alarm).toContain("P2");
    await session?.handle(started("ring", 3));
    expect(session?.isPlaying).toBe(false);
  });

  it("a box that does not open is reported, not passed on", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [, second] = room.sessions;
    await second?.handle(started("ring", 3));
    await second?.handle({ type: "deliver", run: RUN, ring: 0, from: 1, iv: "00".repeat(12), box: "00".repeat(24) });
    expect(room.sent.at(-1)).toEqual({ type: "unreadable", run: RUN, ring: 0, from: 1 });
    expect(second?.round?.pupil?.sent).toEqual([]);
  });

  it("a view is shown only by its pupil's word, and is complete", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    await room.tell(started("ring", 3));
    await room.settle();
    await room.tell({ type: "outcome", run: RUN, pupils: 3, total: "6.0", average: 2 });
    const [first, second] = room.sessions;
    const before = room.sent.length;
    await second?.answer(true);
    expect(room.sent.length).toBe(before);
    await first?.handle({ type: "ask-view", run: RUN, with: [1, 2] });
    await second?.handle({ type: "ask-view", run: RUN, with: [1, 2] });
    expect(room.sent.length).toBe(before);
    await first?.answer(false);
    await second?.answer(true);
    expect(room.sent[before]).toEqual({ type: "no-view", run: RUN });
    const view = room.sent[before + 1]?.["view"] as Record<string, unknown>;
    expect(view["value"]).toBe("20");
    expect(view["shares"]).toEqual(["20"]);
    expect(view["sent"]).toMatchObject([{ ring: 0, from: 2, to: 3 }]);
    expect(view["received"]).toMatchObject([{ ring: 0, from: 1, to: 2 }]);
  });
});
