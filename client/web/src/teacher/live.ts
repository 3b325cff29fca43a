/** The class that is there: its numbers are sealed, and the host does what the buttons say. */
import { classCheck, roundCheck } from "../check";
import type { HostEvent } from "../events";
import type { Host, Line } from "../host";
import type { Protocol } from "../protocol/plan";
import type { Attendant, Director, Scene } from "./director";
import { EMPTY, isRunning, reduce, type TeacherState } from "./state";

const LINES: Record<Line, string> = {
  connected: "",
  interrupted: "The host cannot be reached. The page goes on by itself when it is back.",
  lost: "The host does not know this page: open the link that its terminal shows.",
  broken: "This page does not understand what the host sent. Load it again.",
};

/** Where a page that is loaded again finds that messages wait for steps: the host does not say so. */
const PAUSED = "sotto-ring-paused";

export class LiveClass implements Director {
  state: TeacherState = EMPTY;
  check = "";
  /** The check of the last round, which stays after it. */
  roundCheck = "";
  private keys: ReadonlyMap<number, string> = new Map();
  private line: Line = "connected";
  private refusal = "";
  private isPaused: boolean;
  /** Asked for a round that has not started yet. */
  private isAsking = false;

  constructor(
    private readonly host: Host,
    private pace: number,
    private readonly onChange: () => void,
    private readonly memory: Pick<Storage, "getItem" | "setItem"> = sessionStorage,
  ) {
    this.isPaused = memory.getItem(PAUSED) === "yes";
  }

  listen(): void {
    void this.host.listen((event) => this.handle(event), (line) => this.setLine(line));
  }

  scene(): Scene {
    const { state } = this;
    const problem = state.hasEnded ? "The class is over." : LINES[this.line] || this.refusal;
    const { class: group, names, play, rounds } = state;
    const pupils = group?.pupils.map(attendant) ?? [];
    return { mode: "live", pupils, names, scale: group?.scale, play, rounds, isPaused: this.isPaused, problem };
  }

  play(protocol: Protocol): void {
    if (this.isAsking) return;
    this.setPaused(false);
    if (isRunning(this.state.play)) this.send({ type: "pace", pace_ms: this.pace });
    else this.begin(protocol, this.pace);
  }

  step(protocol: Protocol): void {
    if (this.isAsking) return;
    const wasPaused = this.isPaused;
    this.setPaused(true);
    if (!isRunning(this.state.play)) {
      this.begin(protocol, 0);
      return;
    }
    if (!wasPaused) this.send({ type: "pace", pace_ms: 0 });
    this.send({ type: "step" });
  }

  stop(): void {
    this.send({ type: "stop" });
  }

  setPace(milliseconds: number): void {
    this.pace = milliseconds;
    if (isRunning(this.state.play) && !this.isPaused) this.send({ type: "pace", pace_ms: milliseconds });
  }

  collude(pupils: readonly number[]): void {
    this.send({ type: "collude", pupils });
  }

  leaveOut(pupil: number, isOut: boolean): void {
    this.send({ type: isOut ? "leave-out" : "take-back", pupil });
  }

  remove(pupil: number): void {
    this.send({ type: "remove", pupil });
  }

  playWithout(pupils: readonly number[], protocol: Protocol): void {
    const isThere = (pupil: number) => this.state.class?.pupils.some((member) => member.pupil === pupil);
    for (const pupil of pupils.filter(isThere)) this.leaveOut(pupil, true);
    this.play(protocol);
  }

  private handle(event: HostEvent): void {
    this.state = reduce(this.state, event);
    if (event.type === "started") this.isAsking = false;
    if (["started", "outcome", "stopped"].includes(event.type)) this.refusal = "";
    if (event.type === "class") {
      this.keys = new Map([...this.keys, ...event.pupils.map(({ pupil, key }): [number, string] => [pupil, key])]);
      void classCheck(event.pupils).then((check) => this.state.class === event && this.setChecks(check, this.roundCheck));
    }
    if (event.type === "started") {
      const seats = event.seats.map((pupil) => ({ pupil, key: this.keys.get(pupil) ?? "" }));
      this.roundCheck = "";
      // A seat without a key has no check: the line stays away, and no phone plays either.
      const isCurrent = () => this.state.play?.run === event.run;
      roundCheck(event.protocol, seats).then((check) => isCurrent() && this.setChecks(this.check, check), () => undefined);
    }
    this.onChange();
  }

  private setChecks(check: string, ofRound: string): void {
    [this.check, this.roundCheck] = [check, ofRound];
    this.onChange();
  }

  private setLine(line: Line): void {
    if (line === this.line) return;
    this.line = line;
    this.onChange();
  }

  private setPaused(isPaused: boolean): void {
    this.isPaused = isPaused;
    this.memory.setItem(PAUSED, isPaused ? "yes" : "no");
  }

  /** Asks for a round; until it starts or is refused, a second press asks for nothing. */
  private begin(protocol: Protocol, pace: number): void {
    this.isAsking = true;
    this.send({ type: "play", protocol, pace_ms: pace });
  }

  private send(body: Record<string, unknown>): void {
    this.refusal = "";
    this.onChange();
    this.host.send(body).catch((error: unknown) => {
      this.isAsking = false;
      this.refusal = error instanceof Error ? error.message : "The host did not do it.";
      this.onChange();
    });
  }
}

function attendant(member: {
  pupil: number;
  name: string;
  connected: boolean;
  ready: boolean;
  leftOut: boolean;
}): Attendant {
  const { pupil, name, connected, ready, leftOut } = member;
  const state = leftOut ? "left out" : !connected ? "gone" : ready ? "ready" : "joined";
  return { pupil, name, state };
}
