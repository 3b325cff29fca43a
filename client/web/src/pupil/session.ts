/** Session: what a pupil's page knows and does, without a picture of it. */
import { classCheck, roundCheck } from "../check";
import type { ClassEvent, Deliver, HostEvent, Member, Started } from "../events";
import { named } from "../names";
import { makePlan, MOST, type Message } from "../protocol/plan";
import { drawSecrets, Pupil, Unexpected, type Action } from "../protocol/pupil";
import { show, total } from "../protocol/scale";
import { drawSecret, word, type Draw } from "../protocol/word";
import type { Keys } from "../seal";
import { digest, termsOf } from "../terms";
import { isAnotherTotal, objectionTo, type Finished } from "./objection";

/** What the page sends by. */
export interface Sender {
  send(body: Record<string, unknown>, isNeeded?: () => boolean): Promise<unknown>;
}

/** One round as this pupil sees it. */
export interface Round {
  readonly run: string;
  readonly started: Started;
  /** Who sits there, as the class was when the round began. */
  readonly players: readonly Member[];
  /** What stands for the round in the keys of its messages. */
  readonly digest: Uint8Array;
  /** The round's check; empty until it is computed. */
  check: string;
  checking: Promise<void> | undefined;
  /** This pupil's part; none when it looks on, does not play, or has yet to say whether it does. */
  pupil: Pupil | undefined;
  /** Whether the pupil is asked to say that it plays with other pupils than before. */
  isQuestion: boolean;
  isDeclined: boolean;
  /** What came before the pupil has said so. */
  readonly waiting: Deliver[];
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
  /** Settles when the check is that of the last class event. */
  checking: Promise<void> | undefined;
  /** The value on this device, times 10^decimals. */
  units: bigint | undefined;
  isReady = false;
  round: Round | undefined;
  rounds = 0;
  hasEnded = false;
  /** Something that the host does which no honest host does. */
  alarm: string | undefined;
  private readonly known = new Map<number, Member>();
  private readonly runs = new Set<string>();
  private readonly finished: Finished[] = [];

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
    if (round === undefined || round.isDeclined || round.stopped !== undefined || round.outcome !== undefined) return false;
    return round.pupil !== undefined || round.isQuestion;
  }

  /** A pupil as the class knows it. */
  nameOf(pupil: number): string {
    return named(pupil, this.known.get(pupil)?.name);
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
    try {
      await this.host.send(isShown ? { type: "view", run, view: viewOf(pupil, round.started.seats) } : { type: "no-view", run });
    } catch (error) {
      round.asked = undefined;
      round.answered = undefined;
      round.problem = `Your answer did not arrive: ${reason(error)}`;
      this.onChange();
    }
  }

  /** Plays a round with other pupils than before, or does not. */
  async decide(isPlayed: boolean): Promise<void> {
    const { round } = this;
    if (round === undefined || !round.isQuestion || !this.isPlaying) return;
    round.isQuestion = false;
    if (isPlayed) await this.play(round);
    else this.decline(round, "You did not play this round.");
    this.onChange();
  }

  /** Does what an event asks for. */
  async handle(event: HostEvent): Promise<void> {
    switch (event.type) {
      case "class":
        this.meet(event);
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
        if (this.round?.run === event.run) {
          this.round.stopped = event;
          this.round.isQuestion = false;
        }
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

  private meet(event: ClassEvent): void {
    this.class = event;
    for (const member of event.pupils) {
      const before = this.known.get(member.pupil);
      if (before !== undefined && before.key !== member.key) {
        this.raise(`The host now says that P${member.pupil} has another key. This page plays no more: join again.`);
      } else this.known.set(member.pupil, member);
    }
    const own = event.pupils.find(({ pupil }) => pupil === this.me);
    if (own !== undefined && own.key !== this.keys.publicKey) {
      this.raise("The host gives others a key that is not this page's. This page plays no more.");
    }
    if (new Set(event.pupils.map(({ key }) => key)).size !== event.pupils.length) {
      this.raise("The host gives two pupils one key. This page plays no more.");
    }
    // Not awaited: a check takes a moment, and a round does not wait for it.
    this.checking = classCheck(event.pupils).then((check) => {
      if (this.class !== event) return;
      this.check = check;
      this.onChange();
    });
  }

  /** Says what no honest host does, and leaves the round. */
  private raise(alarm: string): void {
    this.alarm ??= alarm;
    if (this.round !== undefined && this.isPlaying) this.decline(this.round, alarm);
  }

  private async begin(started: Started): Promise<void> {
    const round = await this.enter(started);
    const { seats, run } = started;
    const problem = this.alarm ?? this.objection(started);
    this.rounds += 1;
    this.runs.add(run);
    this.round = round;
    if (seats.includes(this.me)) {
      if (problem !== undefined) this.decline(round, problem);
      else if (isAnotherTotal(seats, round.units, this.finished)) round.isQuestion = true;
      else await this.play(round);
    }
    this.onChange();
  }

  /** A round in which this pupil has done nothing yet. */
  private async enter(started: Started): Promise<Round> {
    const { run, protocol, seats } = started;
    const players = seats.map((pupil) => this.known.get(pupil)).filter((member) => member !== undefined);
    const round: Round = {
      run,
      started,
      players,
      digest: await digest(termsOf(protocol, players)),
      check: "",
      checking: undefined,
      pupil: undefined,
      isQuestion: false,
      isDeclined: false,
      waiting: [],
      units: this.units ?? 0n,
      problem: undefined,
      stopped: undefined,
      outcome: undefined,
      asked: undefined,
      answered: undefined,
    };
    if (players.length === seats.length) {
      round.checking = roundCheck(protocol, players).then((check) => {
        round.check = check;
        this.onChange();
      });
    }
    return round;
  }

  /** Why this page does not play a round that the host starts. */
  private objection(started: Started): string | undefined {
    if (this.units === undefined) return "The host started a round before you typed a grade.";
    if (!this.isReady) return "The host started a round while you were changing your grade.";
    if (this.runs.has(started.run)) return "The host repeats a round that was played before.";
    return objectionTo(started, this.class?.pupils ?? []);
  }

  private async play(round: Round): Promise<void> {
    const { protocol, seats } = round.started;
    const [plan, seat] = [makePlan(protocol, seats.length), seats.indexOf(this.me)];
    round.pupil = new Pupil(plan, seat, drawSecrets(plan, seat, word(round.units), this.draw));
    this.onChange();
    await this.act(round, round.pupil.start());
    for (const deliver of round.waiting.splice(0)) await this.receive(deliver);
  }

  /** Does not play, says why, and tells the host, which stops the round. */
  private decline(round: Round, problem: string): void {
    round.problem = problem;
    round.isDeclined = true;
    round.isQuestion = false;
    this.tell(round, { type: "decline", run: round.run });
  }

  private async receive(deliver: Deliver): Promise<void> {
    const { round } = this;
    const { run, ring, from, iv, box } = deliver;
    if (round === undefined || round.run !== run || !this.isPlaying) return;
    if (round.pupil === undefined) {
      if (round.waiting.length < MOST) round.waiting.push(deliver);
      return;
    }
    const seat = round.started.seats.indexOf(from);
    const sender = round.players[seat];
    let actions: Action[];
    try {
      if (sender === undefined) throw new Unexpected("somebody else sent this");
      const value = await this.keys.open(sender.key, { run, round: round.digest, ring, from, to: this.me }, { iv, box });
      actions = round.pupil.receive({ ring, from: seat, to: round.pupil.seat, value });
    } catch {
      // A box that does not open, or a number that does not belong here: the host says whose it was.
      this.tell(round, { type: "unreadable", run, ring, from });
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
      this.raise("The host repeats an announcement with another number. This page plays no more.");
    }
  }

  /** Takes the outcome, and compares it with what was announced. */
  private conclude(run: string, outcome: { pupils: number; total: string; average: number }): void {
    const { round } = this;
    if (round === undefined || round.run !== run) return;
    round.outcome = outcome;
    this.finished.push({ seats: round.started.seats, units: round.pupil === undefined ? undefined : round.units });
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
      if (round.isDeclined) return;
      this.onChange();
      if (action.type === "send") await this.sendSealed(round, action);
      if (action.type === "announce") {
        this.tell(round, { type: "announce", run: round.run, value: action.value.toString() });
      }
    }
  }

  private async sendSealed(round: Round, message: Message): Promise<void> {
    const other = round.players[message.to];
    if (other === undefined) return;
    const [{ run }, { pupil: to, key }] = [round, other];
    const way = { run, round: round.digest, ring: message.ring, from: this.me, to };
    const sealed = await this.keys.seal(key, way, message.value);
    this.tell(round, { type: "sealed", run, ring: message.ring, to, ...sealed });
  }

  /** Queues something of a round; when it is refused, the round is over or the host says why it stops. */
  private tell(round: Round, body: Record<string, unknown>): void {
    const isNeeded = () => this.round === round && round.stopped === undefined;
    // Not awaited: events go on while the network is away.
    this.host.send(body, isNeeded).catch((error: unknown) => {
      if (!isNeeded()) return;
      round.problem ??= reason(error);
      this.onChange();
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : "The host did not take a message.";
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

