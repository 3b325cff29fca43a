/** A pupil's page against honest and dishonest hosts, without a browser window. */
import { describe, expect, it } from "vitest";
import type { ClassEvent, HostEvent, Member, Started } from "../src/events";
import { makePlan, type Protocol } from "../src/protocol/plan";
import { Session } from "../src/pupil/session";
import { Keys } from "../src/seal";

const RUN = "00112233445566778899aabbccddeeff";

/** A room of pupils and an honest host that hands on what they send. */
class Room {
  readonly sessions: Session[] = [];
  readonly sent: Record<string, unknown>[] = [];
  refusal: Error | undefined;
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
    const pupils = keys.map((key, place) => member(place + 1, key));
    return { type: "class", scale: { min: "0.0", max: "100.0", decimals: 1 }, pupils, you: null, code: "", link: "" };
  }

  /** The class with something of one pupil changed. */
  changed(pupil: number, change: Partial<Member>): ClassEvent {
    const event = this.sessions[0]?.class;
    if (event === undefined) throw new Error("the room has a class");
    return { ...event, pupils: event.pupils.map((each) => (each.pupil === pupil ? { ...each, ...change } : each)) };
  }

  /** What was sent, but for the pupils' being ready. */
  get said(): Record<string, unknown>[] {
    return this.sent.filter(({ type }) => type !== "ready" && type !== "unready");
  }

  async tell(event: HostEvent): Promise<void> {
    for (const session of this.sessions) await session.handle(event);
  }

  async settle(): Promise<void> {
    for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) await next();
  }

  private take(from: number, body: Record<string, unknown>): void {
    if (this.refusal !== undefined) throw this.refusal;
    this.sent.push(body);
    const { type, run, ring, to, iv, box, value } = body as Record<string, string>;
    if (type === "sealed") {
      const deliver = { type: "deliver", run, ring, from, iv, box } as unknown as HostEvent;
      this.inbox.push(async () => this.sessions[Number(to) - 1]?.handle(deliver));
    }
    if (type === "announce") this.inbox.push(() => this.tell({ type: "announced", run: String(run), from, value: BigInt(value ?? "") }));
  }
}

function member(pupil: number, key: string): Member {
  return { pupil, name: "", key, connected: true, ready: true, leftOut: false };
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
    expect(room.said).toEqual(crooked.map((_, place) => ({ type: "decline", run: `${place}`.repeat(32) })));
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

  it("pupils that were in the class once, and are not now, get no number", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [session] = room.sessions;
    const honest = room.changed(1, {});
    const made = await Promise.all([8, 9].map(async (pupil) => member(pupil, (await Keys.generate()).publicKey)));
    await session?.handle({ ...honest, pupils: [...honest.pupils, ...made] });
    await session?.handle(honest);
    await session?.handle({ ...started("ring", 3), seats: [8, 1, 9], rings: [[8, 1, 9]] });
    expect(session?.round?.problem).toContain("not in the class now");
    expect(room.said).toEqual([{ type: "decline", run: RUN }]);
  });

  for (const [what, change] of [["away", { connected: false }], ["left out", { leftOut: true }]] as const) {
    it(`a seat for a pupil that is ${what} is refused`, async () => {
      const room = await Room.of([10n, 20n, 30n]);
      const [session] = room.sessions;
      await session?.handle(room.changed(2, change));
      await session?.handle(started("ring", 3));
      expect(session?.isPlaying).toBe(false);
      expect(room.said).toEqual([{ type: "decline", run: RUN }]);
    });
  }

  it("two pupils with one key are refused", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [session] = room.sessions;
    await session?.handle(room.changed(2, { pupil: 4, key: session.class?.pupils[2]?.key ?? "" }));
    expect(session?.alarm).toContain("one key");
    await session?.handle(started("ring", 3));
    expect(room.said).toEqual([{ type: "decline", run: RUN }]);
  });

  it("an alarm in a round ends this pupil's part of it", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [, second] = room.sessions;
    await second?.handle(started("ring", 3));
    await second?.handle(room.changed(1, { key: (await Keys.generate()).publicKey }));
    expect(second?.isPlaying).toBe(false);
    expect(room.said).toEqual([{ type: "decline", run: RUN }]);
  });

  it("a value that was taken back is not played, and a new one is", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [session] = room.sessions;
    await session?.takeBack();
    await session?.handle(started("ring", 3));
    expect(session?.round?.pupil).toBeUndefined();
    expect(room.said).toEqual([{ type: "decline", run: RUN }]);
    await session?.setValue(11n);
    await session?.handle(started("ring", 3, "ab".repeat(16)));
    expect(session?.isPlaying).toBe(true);
  });

  it("pupils who were told different rounds under one run do not open each other's numbers", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    const [first, second, third] = room.sessions;
    await second?.handle(started("ring", 3));
    await first?.handle(started("shares", 3));
    await third?.handle(started("shares", 3));
    await room.settle();
    expect(room.said).toContainEqual({ type: "unreadable", run: RUN, ring: 0, from: 1 });
    expect(second?.round?.pupil?.received).toEqual([]);
  });

  it("the round's check is the same for all who were told the same, and stays after the round", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    await room.tell(started("ring", 3));
    await room.settle();
    await room.tell({ type: "outcome", run: RUN, pupils: 3, total: "6.0", average: 2 });
    await Promise.all(room.sessions.map((session) => session.round?.checking));
    const [check = ""] = room.sessions.map((session) => session.round?.check);
    expect(check).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/);
    for (const session of room.sessions) expect(session.round?.check).toBe(check);
    await room.tell(started("shares", 3, "ab".repeat(16)));
    await room.sessions[0]?.round?.checking;
    expect(room.sessions[0]?.round?.check).not.toBe(check);
  });
});

describe("an answer that the host refuses", () => {
  it("is not shown as given", async () => {
    const room = await Room.of([10n, 20n, 30n]);
    await room.tell(started("ring", 3));
    await room.settle();
    await room.tell({ type: "outcome", run: RUN, pupils: 3, total: "6.0", average: 2 });
    const [first] = room.sessions;
    await first?.handle({ type: "ask-view", run: RUN, with: [1, 2] });
    room.refusal = new Error("nobody asked");
    await first?.answer(true);
    expect(first?.round?.answered).toBeUndefined();
    expect(first?.round?.problem).toContain("nobody asked");
  });
});

describe("another total", () => {
  const LATER = "ab".repeat(16);

  /** A class of four that has the total of all. */
  async function afterOne(): Promise<Room> {
    const room = await Room.of([10n, 20n, 30n, 40n]);
    await room.tell(started("ring", 4));
    await room.settle();
    await room.tell({ type: "outcome", run: RUN, pupils: 4, total: "10.0", average: 2.5 });
    room.sent.length = 0;
    await room.tell(room.changed(4, { leftOut: true }));
    return room;
  }

  it("of other pupils is played only when the pupils say so", async () => {
    const room = await afterOne();
    await room.tell(started("ring", 3, LATER));
    await room.settle();
    expect(room.said).toEqual([]);
    const [first, second, third, fourth] = room.sessions;
    expect([first, second, third, fourth].map((each) => each?.round?.isQuestion)).toEqual([true, true, true, false]);
    await first?.decide(true);
    await room.settle();
    // The number of the first waits at the second, which has not answered.
    expect(room.said.map(({ type }) => type)).toEqual(["sealed"]);
    await second?.decide(true);
    await third?.decide(true);
    await room.settle();
    expect(first?.round?.pupil?.announced.get(0)).toBe(60n);
  });

  it("is not played after a no, and the host hears of it", async () => {
    const room = await afterOne();
    const [first] = room.sessions;
    await first?.handle(started("ring", 3, LATER));
    await first?.decide(false);
    await first?.decide(true);
    expect(room.said).toEqual([{ type: "decline", run: LATER }]);
    expect(first?.isPlaying).toBe(false);
    expect(first?.round?.pupil).toBeUndefined();
  });

  it("of the same pupils, or with another value, needs no question", async () => {
    const room = await afterOne();
    const [first, second] = room.sessions;
    await first?.takeBack();
    await first?.setValue(11n);
    await first?.handle(started("ring", 3, LATER));
    expect(first?.round?.isQuestion).toBe(false);
    expect(first?.round?.pupil).toBeDefined();
    await room.tell(room.changed(4, { leftOut: false }));
    await second?.handle(started("shares", 4, LATER));
    expect(second?.round?.isQuestion).toBe(false);
  });

  it("is asked about by who looked on at the first", async () => {
    const room = await Room.of([10n, 20n, 30n, 40n]);
    await room.tell(started("ring", 3));
    await room.settle();
    await room.tell({ type: "outcome", run: RUN, pupils: 3, total: "6.0", average: 2 });
    await room.sessions[3]?.handle(started("ring", 4, LATER));
    expect(room.sessions[3]?.round?.isQuestion).toBe(true);
  });

  it("that is stopped while the page asks is a question no more", async () => {
    const room = await afterOne();
    const [first] = room.sessions;
    await first?.handle(started("ring", 3, LATER));
    await first?.handle({ type: "stopped", run: LATER, kind: "left", message: "P2 left", suspects: [2] });
    await first?.decide(true);
    expect(first?.round?.isQuestion).toBe(false);
    expect(first?.round?.pupil).toBeUndefined();
    expect(room.said).toEqual([]);
  });
});
