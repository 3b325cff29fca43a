/** Decoding: what the host tells is checked when it comes in, so that a page computes only with what has its shape. */
import type { Example, Finding, HostEvent, Member, Saw } from "./events";
import { isProtocol, type Protocol } from "./protocol/plan";
import type { Scale } from "./protocol/scale";
import { fromDecimal } from "./protocol/word";
import { BOX_BYTES, IV_BYTES, RUN_BYTES } from "./seal";
import { KEY_BYTES } from "./terms";

/** An answer of the host that has another shape. */
export class BadAnswer extends Error {}

type Fields = Record<string, unknown>;

/** An event; none for a type that this page does not know. */
export function decodeEvent(json: unknown): HostEvent | undefined {
  const f = fields(json);
  const type = text(f["type"]);
  return Object.hasOwn(DECODERS, type) ? DECODERS[type]?.(f) : undefined;
}

const DECODERS: Record<string, (f: Fields) => HostEvent> = {
  class: (f) => ({
    type: "class",
    scale: scale(f["scale"]),
    pupils: list(f["pupils"], member),
    you: f["you"] === null || f["you"] === undefined ? null : count(f["you"]),
    code: optional(f["code"]),
    link: optional(f["link"]),
  }),
  started: (f) => ({
    type: "started",
    run: hex(f["run"], RUN_BYTES),
    protocol: protocol(f["protocol"]),
    seats: list(f["seats"], count),
    rings: list(f["rings"], (ring) => list(ring, count)),
  }),
  announced: (f) => ({ type: "announced", run: hex(f["run"], RUN_BYTES), from: count(f["from"]), value: fromDecimal(text(f["value"])) }),
  outcome: (f) => ({
    type: "outcome",
    run: hex(f["run"], RUN_BYTES),
    pupils: count(f["pupils"]),
    total: text(f["total"]),
    average: number(f["average"]),
  }),
  stopped: (f) => ({
    type: "stopped",
    run: hex(f["run"], RUN_BYTES),
    kind: text(f["kind"]),
    message: text(f["message"]),
    suspects: list(f["suspects"], count),
  }),
  deliver: (f) => ({
    type: "deliver",
    run: hex(f["run"], RUN_BYTES),
    ring: count(f["ring"]),
    from: count(f["from"]),
    iv: hex(f["iv"], IV_BYTES),
    box: hex(f["box"], BOX_BYTES),
  }),
  passed: (f) => ({
    type: "passed",
    run: hex(f["run"], RUN_BYTES),
    ring: count(f["ring"]),
    from: count(f["from"]),
    to: count(f["to"]),
    sealed: hex(f["sealed"], BOX_BYTES),
    count: count(f["count"]),
    of: count(f["of"]),
  }),
  ended: () => ({ type: "ended" }),
  "ask-view": (f) => ({ type: "ask-view", run: hex(f["run"], RUN_BYTES), with: list(f["with"], count) }),
  held: (f) => ({ type: "held", run: hex(f["run"], RUN_BYTES), count: count(f["count"]) }),
  asked: (f) => ({ type: "asked", run: hex(f["run"], RUN_BYTES), pupils: list(f["pupils"], count) }),
  shown: (f) => ({ type: "shown", run: hex(f["run"], RUN_BYTES), pupil: count(f["pupil"]) }),
  refused: (f) => ({ type: "refused", run: hex(f["run"], RUN_BYTES), pupil: count(f["pupil"]) }),
  contradiction: (f) => ({ type: "contradiction", run: hex(f["run"], RUN_BYTES), message: text(f["message"]) }),
  finding: (f) => ({ type: "finding", run: hex(f["run"], RUN_BYTES), finding: finding(f["finding"]) }),
};

/** The example class and how its round went. */
export function decodeExample(json: unknown): Example {
  const f = fields(json);
  return {
    protocol: protocol(f["protocol"]),
    scale: scale(f["scale"]),
    pupils: list(f["pupils"], (each) => {
      const p = fields(each);
      return { pupil: count(p["pupil"]), name: text(p["name"]), value: text(p["value"]) };
    }),
    rings: list(f["rings"], (ring) => list(ring, count)),
    messages: list(f["messages"], (each) => {
      const m = fields(each);
      return { ring: count(m["ring"]), from: count(m["from"]), to: count(m["to"]), value: text(m["value"]) };
    }),
    announcements: list(f["announcements"], (each) => {
      const a = fields(each);
      return { from: count(a["from"]), value: text(a["value"]) };
    }),
    total: text(f["total"]),
    average: number(f["average"]),
    finding: f["finding"] === null || f["finding"] === undefined ? null : finding(f["finding"]),
  };
}

function finding(json: unknown): Finding {
  const f = fields(json);
  const saw = (each: unknown): Saw => {
    const s = fields(each);
    return { from: text(s["from"]), to: text(s["to"]), value: text(s["value"]) };
  };
  return {
    colluders: list(f["colluders"], text),
    arcs: list(f["arcs"], (each) => {
      const a = fields(each);
      const sum = a["sum"] === null || a["sum"] === undefined ? null : text(a["sum"]);
      return { ring: count(a["ring"]), honest: list(a["honest"], text), entered: saw(a["entered"]), left: saw(a["left"]), sum };
    }),
    exact: list(f["exact"], (each) => {
      const e = fields(each);
      return { pupil: text(e["pupil"]), value: number(e["value"]), fromTotal: flag(e["from_total"]) };
    }),
    groups: list(f["groups"], (each) => {
      const g = fields(each);
      return { members: list(g["members"], text), sum: number(g["sum"]) };
    }),
    open: list(f["open"], (each) => {
      const o = fields(each);
      return {
        pupil: text(o["pupil"]),
        values: count(o["values"]),
        min: number(o["min"]),
        max: number(o["max"]),
        allowedByTotal: count(o["allowed_by_total"]),
        of: count(o["of"]),
      };
    }),
    succeeded: flag(f["succeeded"]),
    steps: list(f["steps"], text),
  };
}

function member(json: unknown): Member {
  const f = fields(json);
  return {
    pupil: count(f["pupil"]),
    name: text(f["name"]),
    key: hex(f["key"], KEY_BYTES),
    connected: flag(f["connected"]),
    ready: flag(f["ready"]),
    leftOut: flag(f["left_out"]),
  };
}

function scale(json: unknown): Scale {
  const f = fields(json);
  return { min: text(f["min"]), max: text(f["max"]), decimals: count(f["decimals"]) };
}

function protocol(json: unknown): Protocol {
  if (!isProtocol(json)) throw new BadAnswer("a protocol is ring, rings or shares");
  return json;
}

export function fields(json: unknown): Fields {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new BadAnswer("an object was expected");
  return json as Fields;
}

function list<T>(json: unknown, each: (item: unknown) => T): T[] {
  if (!Array.isArray(json)) throw new BadAnswer("a list was expected");
  return json.map(each);
}

export function text(json: unknown): string {
  if (typeof json !== "string") throw new BadAnswer("a text was expected");
  return json;
}

/** Exactly so many bytes. */
function hex(json: unknown, bytes: number): string {
  const digits = text(json);
  if (digits.length !== 2 * bytes || !/^[0-9a-f]*$/.test(digits)) throw new BadAnswer(`${bytes} bytes in hex were expected`);
  return digits;
}

function optional(json: unknown): string {
  return json === undefined || json === null ? "" : text(json);
}

function number(json: unknown): number {
  if (typeof json !== "number" || !Number.isFinite(json)) throw new BadAnswer("a number was expected");
  return json;
}

export function count(json: unknown): number {
  if (typeof json !== "number" || !Number.isSafeInteger(json) || json < 0) throw new BadAnswer("a count was expected");
  return json;
}

function flag(json: unknown): boolean {
  if (typeof json !== "boolean") throw new BadAnswer("yes or no was expected");
  return json;
}
