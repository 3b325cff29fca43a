/** What the teacher's page knows, as a pure function of the host's events. */
import type { ClassEvent, Finding, HostEvent } from "../events";
import { lanes, makePlan, type Protocol } from "../protocol/plan";

/** A message that has passed, with its number as everybody in the room may see it. */
export interface Hop {
  /** Counted from 0. */
  readonly ring: number;
  readonly from: number;
  readonly to: number;
  /** Hex digits of the sealed message, or with open cards the masked number's decimal digits. */
  readonly number: string;
}

/** One round. */
export interface Play {
  readonly run: string;
  readonly protocol: Protocol;
  readonly seats: readonly number[];
  readonly rings: readonly (readonly number[])[];
  readonly hops: readonly Hop[];
  /** How many messages the round has. */
  readonly of: number;
  /** How many wait for the next step. */
  readonly held: number;
  readonly announced: readonly { readonly from: number; readonly value: string }[];
  readonly outcome: { readonly pupils: number; readonly total: string; readonly average: number } | undefined;
  readonly stopped: { readonly message: string; readonly suspects: readonly number[] } | undefined;
  readonly asked: readonly number[];
  readonly shown: readonly number[];
  readonly refused: readonly number[];
  readonly finding: Finding | undefined;
  /** Why what the colluders showed cannot be true. */
  readonly contradiction: string;
}

/** The class and its last round. */
export interface TeacherState {
  readonly class: ClassEvent | undefined;
  /** Of everybody who was ever there: a round goes on speaking of those who have left. */
  readonly names: ReadonlyMap<number, string>;
  readonly play: Play | undefined;
  readonly rounds: number;
  readonly hasEnded: boolean;
}

export const EMPTY: TeacherState = { class: undefined, names: new Map(), play: undefined, rounds: 0, hasEnded: false };

/** A round before its first message. */
export function begin(run: string, protocol: Protocol, seats: readonly number[], rings: Play["rings"]): Play {
  return {
    run,
    protocol,
    seats,
    rings,
    hops: [],
    of: lanes(makePlan(protocol, seats.length)).length,
    held: 0,
    announced: [],
    outcome: undefined,
    stopped: undefined,
    asked: [],
    shown: [],
    refused: [],
    finding: undefined,
    contradiction: "",
  };
}

/** Whether a round goes on. */
export function isRunning(play: Play | undefined): boolean {
  return play !== undefined && play.outcome === undefined && play.stopped === undefined;
}

/** The state after an event. */
export function reduce(state: TeacherState, event: HostEvent): TeacherState {
  switch (event.type) {
    case "class":
      return { ...state, class: event, names: new Map([...state.names, ...event.pupils.map(nameEntry)]) };
    case "ended":
      return { ...state, hasEnded: true };
    case "started":
      return { ...state, rounds: state.rounds + 1, play: begin(event.run, event.protocol, event.seats, event.rings) };
    case "deliver":
    case "ask-view":
      return state;
    default: {
      const { play } = state;
      return play === undefined || play.run !== event.run ? state : { ...state, play: advance(play, event) };
    }
  }
}

function nameEntry({ pupil, name }: { pupil: number; name: string }): [number, string] {
  return [pupil, name];
}

type RoundEvent = Extract<HostEvent, { run: string }>;

function advance(play: Play, event: RoundEvent): Play {
  switch (event.type) {
    case "held":
      return { ...play, held: event.count };
    case "passed": {
      const { ring, from, to, sealed } = event;
      return { ...play, hops: [...play.hops, { ring, from, to, number: sealed }], held: Math.max(0, play.held - 1) };
    }
    case "announced":
      return { ...play, announced: [...play.announced, { from: event.from, value: event.value.toString() }] };
    case "outcome":
      return { ...play, held: 0, outcome: { pupils: event.pupils, total: event.total, average: event.average } };
    case "stopped":
      return { ...play, held: 0, stopped: { message: event.message, suspects: event.suspects } };
    case "asked":
      return { ...play, asked: event.pupils, shown: [], refused: [], finding: undefined, contradiction: "" };
    case "shown":
      return { ...play, shown: [...play.shown, event.pupil] };
    case "refused":
      return { ...play, refused: [...play.refused, event.pupil] };
    case "finding":
      return { ...play, finding: event.finding };
    case "contradiction":
      return { ...play, contradiction: event.message };
    default:
      return play;
  }
}
