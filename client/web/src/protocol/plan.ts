/** Who sends to whom: the rings of a round, and the lanes that follow from them, recomputed by every pupil. */

export type Protocol = "ring" | "rings" | "shares";

export const PROTOCOLS: readonly Protocol[] = ["ring", "rings", "shares"];

/** The fewest pupils: with two, the total tells each the other's value. */
export const FEWEST = 3;
/** The most pupils. */
export const MOST = 100;

/** A way from one pupil to another, who are counted from 0 in the order of their seats. */
export interface Lane {
  readonly ring: number;
  readonly from: number;
  readonly to: number;
}

/** A masked number on its way. */
export interface Message extends Lane {
  readonly value: bigint;
}

/** The lanes of one round. */
export interface Plan {
  readonly protocol: Protocol;
  readonly pupils: number;
  /** The order of all seats in each ring, from the first seat on; none for `shares`. */
  readonly rings: readonly (readonly number[])[];
}

export function isProtocol(text: unknown): text is Protocol {
  return PROTOCOLS.some((protocol) => protocol === text);
}

/** The plan of a protocol for that many pupils. */
export function makePlan(protocol: Protocol, pupils: number): Plan {
  if (!Number.isInteger(pupils) || pupils < FEWEST || pupils > MOST) {
    throw new RangeError(`${pupils} pupils cannot play: it takes ${FEWEST} to ${MOST}`);
  }
  const rings = { ring: () => [seats(pupils)], rings: () => walecki(pupils), shares: () => [] };
  return { protocol, pupils, rings: rings[protocol]() };
}

/** Into how many shares a value is split. */
export function sharesOf(plan: Plan): number {
  return plan.protocol === "shares" ? plan.pupils : plan.rings.length;
}

/** All lanes; those of a ring in the order in which they are used. */
export function lanes(plan: Plan): Lane[] {
  if (plan.protocol !== "shares") {
    return plan.rings.flatMap((order, ring) => order.map((from, place) => ({ ring, from, to: at(order, place + 1) })));
  }
  const all = seats(plan.pupils);
  return all.flatMap((from) => all.filter((to) => to !== from).map((to) => ({ ring: 0, from, to })));
}

/** Whether a lane is one of the plan's. */
export function hasLane(plan: Plan, { ring, from, to }: Lane): boolean {
  if (plan.protocol !== "shares") return plan.rings[ring]?.includes(from) === true && successor(plan, ring, from) === to;
  const isSeat = (seat: number) => Number.isInteger(seat) && seat >= 0 && seat < plan.pupils;
  return ring === 0 && from !== to && isSeat(from) && isSeat(to);
}

/** To whom a seat passes its number on in a ring. */
export function successor(plan: Plan, ring: number, seat: number): number {
  const order = plan.rings[ring];
  if (order === undefined) throw new RangeError(`there is no ring ${ring + 1}`);
  return at(order, order.indexOf(seat) + 1);
}

/** From whom a seat receives its number in a ring. */
export function predecessor(plan: Plan, ring: number, seat: number): number {
  const order = plan.rings[ring];
  if (order === undefined) throw new RangeError(`there is no ring ${ring + 1}`);
  return at(order, order.indexOf(seat) + order.length - 1);
}

/** The place after the last one is the first one. */
function at(order: readonly number[], place: number): number {
  const seat = order[place % order.length];
  if (seat === undefined) throw new RangeError("a ring has no seats");
  return seat;
}

function seats(pupils: number): number[] {
  return Array.from({ length: pupils }, (_, seat) => seat);
}

/**
 * Walecki's edge-disjoint Hamiltonian cycles for an odd number of pupils; for an even number those
 * of one pupil more, whose neighbours speak directly.
 */
function walecki(pupils: number): number[][] {
  const circle = pupils % 2 === 1 ? pupils - 1 : pupils;
  // The first seat is the hub; ring j zigzags through the circle of the others: j, j+1, j−1, j+2, …
  const zigzag = (step: number) => (step % 2 === 1 ? (step + 1) / 2 : circle - step / 2);
  const ring = (turn: number) => {
    const others = Array.from({ length: circle }, (_, step) => 1 + ((turn + zigzag(step)) % circle));
    return [0, ...others].filter((seat) => seat < pupils);
  };
  return Array.from({ length: circle / 2 }, (_, turn) => ring(turn));
}
