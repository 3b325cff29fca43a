/** The example class: computed by the host in one go, and played here step by step with open cards. */
import { decodeExample } from "../decode";
import type { Example } from "../events";
import type { Protocol } from "../protocol/plan";
import type { Attendant, Director, Scene } from "./director";
import { begin, isRunning, type Play } from "./state";

/** Who colludes unless somebody else is chosen: the two neighbours of P4. */
export const USUAL_COLLUDERS: readonly number[] = [3, 5];

/** Asks the host for a round of the example class. */
export type Ask = (protocol: Protocol, collude: readonly number[]) => Promise<unknown>;

export class ExampleClass implements Director {
  private example: Example | undefined;
  private now: Play | undefined;
  private left: readonly number[] = [];
  private colluders = USUAL_COLLUDERS;
  private rounds = 0;
  private isPaused = false;
  /** Asked for a round that has not come yet. */
  private isAsking = false;
  private problem = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly ask: Ask,
    private pace: number,
    private readonly onChange: () => void,
  ) {}

  scene(): Scene {
    const pupils: Attendant[] = this.example?.pupils.map(({ pupil, name }) => ({ pupil, name, state: "ready" })) ?? [];
    const names = new Map(pupils.map(({ pupil, name }) => [pupil, name]));
    const { now, rounds, isPaused, problem } = this;
    return { mode: "example", pupils, names, scale: this.example?.scale, play: now, rounds, isPaused, problem };
  }

  /** The grades, which are no secret here. */
  grades(): Example["pupils"] {
    return this.example?.pupils ?? [];
  }

  /** Fetches the class, so that there is something to see before the first round. */
  open(): void {
    if (this.example === undefined) void this.load("ring", true);
  }

  play(protocol: Protocol): void {
    if (this.isAsking) return;
    this.isPaused = false;
    if (isRunning(this.now)) this.tick();
    else void this.load(protocol, false).then(() => this.tick());
  }

  step(protocol: Protocol): void {
    if (this.isAsking) return;
    clearTimeout(this.timer);
    this.isPaused = true;
    if (isRunning(this.now)) this.pass();
    else void this.load(protocol, false);
  }

  stop(): void {
    clearTimeout(this.timer);
    if (this.now === undefined || !isRunning(this.now)) return;
    this.now = { ...this.now, held: 0, stopped: { message: "the teacher stopped the round", suspects: [] } };
    this.onChange();
  }

  setPace(milliseconds: number): void {
    this.pace = milliseconds;
  }

  /** Shows what these colluders learned; others than expected need the round to be computed again. */
  collude(pupils: readonly number[]): void {
    const protocol = this.now?.protocol;
    if (protocol === undefined || isRunning(this.now)) return;
    const isKnown = [...pupils].sort().join() === [...this.colluders].sort().join() && this.example?.finding != null;
    this.colluders = pupils;
    const reveal = () => {
      if (this.example === undefined || this.now === undefined) return;
      this.now = { ...this.now, asked: pupils, shown: pupils, finding: this.example.finding ?? undefined };
      this.onChange();
    };
    if (isKnown) {
      reveal();
      return;
    }
    void this.load(protocol, false).then(() => {
      while (isRunning(this.now)) this.pass();
      reveal();
    });
  }

  leaveOut(): void {
    // Everybody plays in the example.
  }

  remove(): void {
    // Nobody goes.
  }

  playWithout(_: readonly number[], protocol: Protocol): void {
    this.play(protocol);
  }

  private async load(protocol: Protocol, isPreview: boolean): Promise<void> {
    clearTimeout(this.timer);
    this.problem = "";
    this.isAsking = !isPreview;
    try {
      this.example = decodeExample(await this.ask(protocol, this.colluders));
    } catch (error) {
      this.problem = error instanceof Error ? error.message : "The host did not answer.";
      this.onChange();
      return;
    } finally {
      this.isAsking = false;
    }
    if (!isPreview) {
      this.rounds += 1;
      const seats = this.example.pupils.map(({ pupil }) => pupil);
      this.now = begin(`example ${this.rounds}`, protocol, seats, this.example.rings);
      this.left = waves(this.example);
      this.now = { ...this.now, held: this.left[0] ?? 0 };
    }
    this.onChange();
  }

  private tick(): void {
    clearTimeout(this.timer);
    if (!isRunning(this.now) || this.isPaused) return;
    this.pass();
    this.timer = setTimeout(() => this.tick(), this.pace);
  }

  /** Lets the messages of one wave pass; after the last one the announcements follow. */
  private pass(): void {
    const { example, now } = this;
    const [size, ...left] = this.left;
    if (example === undefined || now === undefined) return;
    if (size === undefined) {
      const { announcements: announced, total, average } = example;
      this.now = { ...now, held: 0, announced, outcome: { pupils: example.pupils.length, total, average } };
    } else {
      const passed = example.messages.slice(now.hops.length, now.hops.length + size);
      const hops = passed.map(({ ring, from, to, value }) => ({ ring, from, to, number: value }));
      this.left = left;
      this.now = { ...now, hops: [...now.hops, ...hops], held: left[0] ?? 0 };
    }
    this.onChange();
  }
}

/** How many messages pass at once: one in one ring, one of each ring in several, one pupil's shares. */
export function waves(example: Pick<Example, "protocol" | "messages" | "pupils" | "rings">): number[] {
  const pupils = example.pupils.length;
  const size = { ring: 1, rings: example.rings.length, shares: pupils - 1 }[example.protocol];
  return Array.from({ length: Math.ceil(example.messages.length / size) }, (_, wave) =>
    Math.min(size, example.messages.length - wave * size),
  );
}
