/** Objections: why a page does not play a round that the host starts, and when it asks its pupil first. */
import { isPresent } from "../check";
import type { Member, Started } from "../events";
import { makePlan, type Plan } from "../protocol/plan";

/** A round that has an outcome; without units this pupil looked on. */
export interface Finished {
  readonly seats: readonly number[];
  readonly units: bigint | undefined;
}

/** Why a round cannot be what an honest host starts with this class. */
export function objectionTo(started: Started, members: readonly Member[]): string | undefined {
  const { protocol, seats, rings } = started;
  if (new Set(seats).size !== seats.length) return "The host gave two seats to one pupil.";
  const there = seats.map((pupil) => members.find((member) => member.pupil === pupil));
  if (there.some((member) => member === undefined || !isPresent(member))) {
    return "The host gave a seat to somebody who is not in the class now.";
  }
  if (new Set(there.map((member) => member?.key)).size !== seats.length) return "The host gave two pupils one key.";
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

/**
 * Whether another total of other pupils is known already: the difference of two totals tells about
 * those who are only in one of them. Where this pupil looked on, its own value may be that difference.
 */
export function isAnotherTotal(seats: readonly number[], units: bigint, finished: readonly Finished[]): boolean {
  const known = finished.filter((round) => round.units === undefined || round.units === units);
  return known.length > 0 && !known.some((round) => isSameGroup(round.seats, seats));
}

function isSameGroup(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((pupil) => other.includes(pupil));
}
