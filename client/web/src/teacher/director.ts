/** Director: what the buttons do, in a class that is there and in the one that is shipped as an example. */
import { named } from "../names";
import type { Protocol } from "../protocol/plan";
import type { Scale } from "../protocol/scale";
import type { Play } from "./state";

export type Mode = "live" | "example";

/** A pupil on the teacher's page. */
export interface Attendant {
  readonly pupil: number;
  readonly name: string;
  readonly state: "joined" | "ready" | "gone" | "left out";
}

/** All that the page draws. */
export interface Scene {
  readonly mode: Mode;
  readonly pupils: readonly Attendant[];
  /** Names of everybody who was ever there. */
  readonly names: ReadonlyMap<number, string>;
  readonly scale: Scale | undefined;
  readonly play: Play | undefined;
  readonly rounds: number;
  /** Whether messages wait for steps. */
  readonly isPaused: boolean;
  /** Something that the teacher should know. */
  readonly problem: string;
}

/** Where the buttons lead. */
export interface Director {
  scene(): Scene;
  play(protocol: Protocol): void;
  step(protocol: Protocol): void;
  stop(): void;
  /** Milliseconds between two messages. */
  setPace(milliseconds: number): void;
  collude(pupils: readonly number[]): void;
  leaveOut(pupil: number, isOut: boolean): void;
  /** Sends a pupil away for good: its place is free. */
  remove(pupil: number): void;
  playWithout(pupils: readonly number[], protocol: Protocol): void;
}

/** A pupil by number and name, also after it has left. */
export function nameIn(scene: Scene, pupil: number): string {
  return named(pupil, scene.names.get(pupil));
}
