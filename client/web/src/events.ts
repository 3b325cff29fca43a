/** What the host tells: the shapes of its events and answers. */
import type { Protocol } from "./protocol/plan";
import type { Scale } from "./protocol/scale";
import type { Word } from "./protocol/word";

export interface Member {
  readonly pupil: number;
  readonly name: string;
  readonly key: string;
  readonly connected: boolean;
  readonly ready: boolean;
  readonly leftOut: boolean;
}

export interface ClassEvent {
  readonly type: "class";
  readonly scale: Scale;
  readonly pupils: readonly Member[];
  readonly you: number | null;
  readonly code: string;
  readonly link: string;
}

export interface Started {
  readonly type: "started";
  readonly run: string;
  readonly protocol: Protocol;
  readonly seats: readonly number[];
  readonly rings: readonly (readonly number[])[];
}

export interface Announced {
  readonly type: "announced";
  readonly run: string;
  readonly from: number;
  readonly value: Word;
}

export interface OutcomeEvent {
  readonly type: "outcome";
  readonly run: string;
  readonly pupils: number;
  readonly total: string;
  readonly average: number;
}

export interface Stopped {
  readonly type: "stopped";
  readonly run: string;
  readonly kind: string;
  readonly message: string;
  readonly suspects: readonly number[];
}

export interface Deliver {
  readonly type: "deliver";
  readonly run: string;
  readonly ring: number;
  readonly from: number;
  readonly iv: string;
  readonly box: string;
}

export interface Passed {
  readonly type: "passed";
  readonly run: string;
  readonly ring: number;
  readonly from: number;
  readonly to: number;
  readonly sealed: string;
  readonly count: number;
  readonly of: number;
}

/** A message that colluders saw. */
export interface Saw {
  readonly from: string;
  readonly to: string;
  readonly value: string;
}

/** What colluders learned; the host's words for it. */
export interface Finding {
  readonly colluders: readonly string[];
  readonly arcs: readonly {
    readonly ring: number;
    readonly honest: readonly string[];
    readonly entered: Saw;
    readonly left: Saw;
    readonly sum: string | null;
  }[];
  readonly exact: readonly { readonly pupil: string; readonly value: number; readonly fromTotal: boolean }[];
  readonly groups: readonly { readonly members: readonly string[]; readonly sum: number }[];
  readonly open: readonly {
    readonly pupil: string;
    readonly values: number;
    readonly min: number;
    readonly max: number;
    readonly allowedByTotal: number;
    readonly of: number;
  }[];
  readonly succeeded: boolean;
  readonly steps: readonly string[];
}

export type HostEvent =
  | ClassEvent
  | Started
  | Announced
  | OutcomeEvent
  | Stopped
  | Deliver
  | Passed
  | { readonly type: "ended" }
  | { readonly type: "ask-view"; readonly run: string; readonly with: readonly number[] }
  | { readonly type: "held"; readonly run: string; readonly count: number }
  | { readonly type: "asked"; readonly run: string; readonly pupils: readonly number[] }
  | { readonly type: "shown"; readonly run: string; readonly pupil: number }
  | { readonly type: "refused"; readonly run: string; readonly pupil: number }
  | { readonly type: "contradiction"; readonly run: string; readonly message: string }
  | { readonly type: "finding"; readonly run: string; readonly finding: Finding };

/** The answer to the teacher's request for the example class. */
export interface Example {
  readonly protocol: Protocol;
  readonly scale: Scale;
  readonly pupils: readonly { readonly pupil: number; readonly name: string; readonly value: string }[];
  readonly rings: readonly (readonly number[])[];
  readonly messages: readonly { readonly ring: number; readonly from: number; readonly to: number; readonly value: string }[];
  readonly announcements: readonly { readonly from: number; readonly value: string }[];
  readonly total: string;
  readonly average: number;
  readonly finding: Finding | null;
}
