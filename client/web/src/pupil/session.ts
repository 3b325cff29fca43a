/** Session: what a pupil's page knows and does, without a picture of it. */
import { classCheck } from "../check";
import type { ClassEvent, Deliver, HostEvent, Started } from "../events";
import { named } from "../names";
import { makePlan, type Message, type Plan } from "../protocol/plan";
import { drawSecrets, Pupil, Unexpected, type Action } from "../protocol/pupil";
import { show, total } from "../protocol/scale";
import { drawSecret, word, type Draw } from "../protocol/word";
import type { Keys } from "../seal";

/** What the page sends by. */
export interface Sender {
  send(body: Record<string, unknown>, isNeeded?: () => boolean): Promise<unknown>;
}

/** One round as this pupil sees it. */
export interface Round {
  readonly run: string;
  readonly started: Started;
  /** This pupil's part; none when it looks on, or does not play. */
  readonly pupil: Pupil | undefined;
  /** The value that it plays with, times 10^decimals. */
  readonly units: bigint;
  /** Why this page does not play although the host says so. */
  problem: string | undefined;
  stopped: { readonly message: string; readonly suspects: readonly number[] } | undefined;
  outcome: { readonly pupils: number; readonly total: string; readonly average: number } | undefined;
  /** The others who are to put their views together with this one. */
  asked: readonly number[] | undefined;
  answered: "shown" | "refused" | undefined;
}

/** A pupil in a class. */
export class Session {
  class: ClassEvent | undefined;
  check = "";
  /** The value on this device, times 10^decimals. */
  units: bigint | undefined;
  isReady = false;
  round: Round | undefined;
  rounds = 0;
  hasEnded = false;
  /** Something that the host does which no honest host does. */
  alarm: string | undefined;
  private readonly keysOf = new Map<number, string>();
  private readonly runs = new Set<string>();

  constructor(
    private readonly keys: Keys,
    readonly me: number,
    private readonly host: Sender,
    private readonly onChange: () => void,
    private readonly draw: Draw = drawSecret,
  ) {}

  /** Whether a round needs this page. */
  get isPlaying(): boolean {
    const { round } = this;
    return round?.pupil !== undefined && round.stopped === undefined && round.outcome === undefined;
  }

  /** A pupil as the class knows it. */
  nameOf(pupil: number): string {
    return named(pupil, this.class?.pupils.find((member) => member.pupil === pupil)?.name);
  }

  /** Takes a value that the scale has; it stays here, the host learns that there is one. */
  async setValue(units: bigint): Promise<void> {
    this.units = units;
    if (!this.isReady) {
      this.isReady = true;
      this.onChange();
      await this.host.send({ type: "ready" });
    }
    this.onChange();
  }

  /** Takes the value back to change it. */
  async takeBack(): Promise<void> {
    this.isReady = false;
    this.onChange();
    await this.host.send({ type: "unready" });
  }

  /** Shows this pupil's view to the class, or not. */
  async answer(isShown: boolean): Promise<void> {
    const { round } = this;
    if (round?.asked === undefined || round.answered !== undefined || round.pupil === undefined) return;
    round.answered = isShown ? "shown" : "refused";
    this.onChange();
    const { run, pupil } = round;
    await this.host.send(isShown ? { type: "view", run, view: viewOf(pupil, round.started.seats) } : { type: "no-view", run });
  }

  /** Does what an event asks for. */
  async handle(event: HostEvent): Promise<void> {
    switch (event.type) {
      case "class":
        await this.meet(event);
        break;
      case "started":
        await this.begin(event);
        break;
      case "deliver":
        await this.receive(event);
        break;
      case "announced":
        this.hear(event.run, event.from, event.value);
        break;
      case "outcome":
        this.conclude(event.run, event);
        break;
      case "stopped":
        if (this.round?.run === event.run) this.round.stopped = event;
        break;
      case "ask-view":
        if (this.round?.run === event.run && this.round.pupil !== undefined && this.round.outcome !== undefined) {
          this.round.asked = event.with;
          this.round.answered = undefined;
        }
        break;
      case "ended":
        this.hasEnded = true;
        break;
      default:
        break;
    }
    this.onChange();
  }

  private async meet(event: ClassEvent): Promise<void> {
    this.class = event;
    for (const { pupil, key } of event.pupils) {
      const before = this.keysOf.get(pupil);
      if (before === undefined) this.keysOf.set(pupil, key);
      else if (before !== key) this.alarm = `The host now says that P${pupil} has another key. This page plays no more: join again.`;
    }
    const own = event.pupils.find(({ pupil }) => pupil === this.me);
    if (own !== undefined && own.key !== this.keys.publicKey) {
      this.alarm = "The host gives others a key that is not this page's. This page plays no more.";
    }
    this.check = await classCheck(event.pupils);
  }

  private async begin(started: Started): Promise<void> {
    this.rounds += 1;
    const seat = started.seats.indexOf(this.me);
    const problem = seat < 0 ? undefined : (this.alarm ?? this.objection(started));
    this.runs.add(started.run);
    const units = this.units ?? 0n;
    const plan = seat < 0 || problem !== undefined ? undefined : makePlan(started.protocol, started.seats.length);
    const pupil = plan && new Pupil(plan, seat, drawSecrets(plan, seat, word(units), this.draw));
    const round: Round = {
      run: started.run,
      started,
      pupil,
      units,
      problem,
      stopped: undefined,
      outcome: undefined,
      asked: undefined,
      answered: undefined,
    };
    this.round = round;
    this.onChange();
    if (pupil !== undefined) await this.act(round, pupil.start());
  }

  /** Why this page does not play a round that the host starts. */
  private objection({ run, protocol, seats, rings }: Started): string | undefined {
    if (this.units === undefined) return "The host started a round before you typed a grade.";
    if (this.runs.has(run)) return "The host repeats a round that was played before.";
    if (new Set(seats).size !== seats.length) return "The host gave two seats to one pupil.";
    if (seats.some((pupil) => !this.keysOf.has(pupil))) return "The host gave a seat to somebody who has not joined.";
    let plan: Plan;
    try {
      plan = makePlan(protocol, seats.length);
    } catch (error) {
      return error instanceof Error ? error.message : "The host's round cannot be played.";
    }
    const expected = plan.rings.map((order) => order.map((seat) => seats[seat]));
    const isExpected = JSON.stringify(expected) === JSON.stringify(rings);
    return isExpected ? undefined : "The host's rings are not those of the protocol: somebody could be alone between two others.";
  }

  private async receive({ run, ring, from, iv, box }: Deliver): Promise<void> {
    const { round } = this;
    if (round === undefined || round.run !== run || !this.isPlaying || round.pupil === undefined) return;
    const key = this.keysOf.get(from);
    const seat = round.started.seats.indexOf(from);
    let actions: Action[];
    try {
      if (key === undefined || seat < 0) throw new Unexpected("somebody else sent this");
      const value = await this.keys.open(key, { run, ring, from, to: this.me }, { iv, box });
      actions = round.pupil.receive({ ring, from: seat, to: round.pupil.seat, value });
    } catch {
      // A box that does not open, or a number that does not belong here: the host says whose it was.
      await this.tell(round, { type: "unreadable", run, ring, from });
      return;
    }
    await this.act(round, actions);
  }

  private hear(run: string, from: number, value: bigint): void {
    const { round } = this;
    if (round?.pupil === undefined || round.run !== run) return;
    try {
      round.pupil.hear({ from: round.started.seats.indexOf(from), value });
    } catch (error) {
      if (!(error instanceof Unexpected)) throw error;
      this.alarm = "The host repeats an announcement with another number. This page plays no more.";
    }
  }

  /** Takes the outcome, and compares it with what was announced. */
  private conclude(run: string, outcome: { pupils: number; total: string; average: number }): void {
    const { round } = this;
    if (round === undefined || round.run !== run) return;
    round.outcome = outcome;
    const announced = round.pupil?.announced;
    if (announced === undefined || this.class === undefined) return;
    const all = [...announced.values()].reduce((sum, value) => word(sum + value), 0n);
    const units = total(this.class.scale, all, outcome.pupils);
    if (units === undefined || show(this.class.scale, units) !== outcome.total) {
      round.problem = "The host's total is not the sum of what was announced: do not believe this average.";
    }
  }

  private async act(round: Round, actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      this.onChange();
      if (action.type === "send") await this.sendSealed(round, action);
      if (action.type === "announce") {
        await this.tell(round, { type: "announce", run: round.run, value: action.value.toString() });
      }
    }
  }

  private async sendSealed(round: Round, message: Message): Promise<void> {
    const to = round.started.seats[message.to];
    const key = to === undefined ? undefined : this.keysOf.get(to);
    if (to === undefined || key === undefined) return;
    const { run } = round;
    const sealed = await this.keys.seal(key, { run, ring: message.ring, from: this.me, to }, message.value);
    await this.tell(round, { type: "sealed", run, ring: message.ring, to, ...sealed });
  }

  /** Queues something of a round; when it is refused, the round is over or the host says why it stops. */
  private async tell(round: Round, body: Record<string, unknown>): Promise<void> {
    const isNeeded = () => this.round === round && round.stopped === undefined;
    // Not awaited: events go on while the network is away.
    this.host.send(body, isNeeded).catch((error: unknown) => {
      if (!isNeeded()) return;
      round.problem = error instanceof Error ? error.message : "The host did not take a message.";
      this.onChange();
    });
  }
}

/** What is shown when a pupil plays a colluder, with pupils' numbers for seats. */
export function viewOf(pupil: Pupil, seats: readonly number[]): Record<string, unknown> {
  const lane = ({ ring, from, to, value }: Message) => ({ ring, from: seats[from], to: seats[to], value: value.toString() });
  return {
    value: pupil.secrets.value.toString(),
    shares: pupil.secrets.shares.map(String),
    masks: pupil.secrets.masks.map(String),
    sent: pupil.sent.map(lane),
    received: pupil.received.map(lane),
  };
}

