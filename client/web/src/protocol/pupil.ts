/** One pupil's part in a round, without sockets: what it sends at first, and upon each message. */
import { hasLane, sharesOf, successor, type Lane, type Message, type Plan } from "./plan";
import { add, subtract, sum, type Draw, type Word } from "./word";

/** A number that everybody hears. */
export interface Announcement {
  readonly from: number;
  readonly value: Word;
}

/** What a pupil does. */
export type Action =
  | ({ readonly type: "send" } & Message)
  | ({ readonly type: "announce" } & Announcement)
  | { readonly type: "learn"; readonly total: Word };

/** What only this pupil knows. */
export interface Secrets {
  readonly value: Word;
  /** One per ring; with `shares` one per seat, its own among them. */
  readonly shares: readonly Word[];
  /** One per ring for the first seat; nobody else has any. */
  readonly masks: readonly Word[];
}

/** A message or an announcement that does not belong to the round. */
export class Unexpected extends Error {}

/** Draws the shares of a value and the masks of the first seat. */
export function drawSecrets(plan: Plan, seat: number, value: Word, draw: Draw): Secrets {
  const rest = Array.from({ length: sharesOf(plan) - 1 }, draw);
  const masks = seat === 0 ? plan.rings.map(draw) : [];
  return { value, shares: [subtract(value, sum(rest)), ...rest], masks };
}

/** A pupil during a round. */
export class Pupil {
  readonly sent: Message[] = [];
  readonly received: Message[] = [];
  readonly announced = new Map<number, Word>();

  constructor(
    readonly plan: Plan,
    readonly seat: number,
    readonly secrets: Secrets,
  ) {}

  /** What the pupil does at first. */
  start(): Action[] {
    const { plan, seat } = this;
    if (plan.protocol === "shares") {
      const others = this.secrets.shares.map((value, to) => ({ ring: 0, from: seat, to, value }));
      return others.filter(({ to }) => to !== seat).map((message) => this.send(message));
    }
    if (seat !== 0) return [];
    return plan.rings.map((_, ring) => this.passOn(ring, this.mask(ring)));
  }

  /** What the pupil does upon a message to it. The same message again: nothing. */
  receive(message: Message): Action[] {
    if (message.to !== this.seat || !hasLane(this.plan, message)) {
      throw new Unexpected("no number comes here on this way");
    }
    const before = this.received.find((other) => isSameLane(other, message));
    if (before !== undefined) {
      if (before.value === message.value) return [];
      throw new Unexpected("two different numbers came on one way");
    }
    this.received.push(message);
    const isPassedOn = this.plan.protocol !== "shares" && this.seat !== 0;
    if (isPassedOn) return [this.passOn(message.ring, message.value)];
    return this.received.length === this.awaited() ? this.announce() : [];
  }

  /** What the pupil does upon an announcement. The same again: nothing. */
  hear({ from, value }: Announcement): Action[] {
    if (!this.announcers().includes(from)) throw new Unexpected("this pupil has nothing to announce");
    const before = this.announced.get(from);
    if (before !== undefined) {
      if (before === value) return [];
      throw new Unexpected("this pupil announced two different numbers");
    }
    this.announced.set(from, value);
    if (this.announced.size < this.announcers().length) return [];
    return [{ type: "learn", total: sum(this.announced.values()) }];
  }

  private announce(): Action[] {
    const own = { from: this.seat, value: subtract(sum(this.received.map(({ value }) => value)), this.added()) };
    return [{ type: "announce", ...own }, ...this.hear(own)];
  }

  /** What has to leave the sum of what came before it is announced: the masks, or minus the own share. */
  private added(): Word {
    if (this.plan.protocol === "shares") return subtract(0n, this.share(this.seat));
    return sum(this.secrets.masks);
  }

  private passOn(ring: number, received: Word): Action {
    const to = successor(this.plan, ring, this.seat);
    return this.send({ ring, from: this.seat, to, value: add(received, this.share(ring)) });
  }

  private send(message: Message): Action {
    this.sent.push(message);
    return { type: "send", ...message };
  }

  private awaited(): number {
    return this.plan.protocol === "shares" ? this.plan.pupils - 1 : this.plan.rings.length;
  }

  private announcers(): number[] {
    return this.plan.protocol === "shares" ? Array.from({ length: this.plan.pupils }, (_, seat) => seat) : [0];
  }

  private share(place: number): Word {
    return known(this.secrets.shares[place]);
  }

  private mask(ring: number): Word {
    return known(this.secrets.masks[ring]);
  }
}

function isSameLane(one: Lane, other: Lane): boolean {
  return one.ring === other.ring && one.from === other.from && one.to === other.to;
}

function known(value: Word | undefined): Word {
  if (value === undefined) throw new RangeError("a pupil has a share for every ring, and the first one a mask");
  return value;
}
