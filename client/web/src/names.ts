/** How pupils and numbers are written on every screen. */

/** `P4 (Anna)`, or `P4` where no name was given. */
export function named(pupil: number, name: string | undefined): string {
  return name === undefined || name === "" ? `P${pupil}` : `P${pupil} (${name})`;
}

/** `P1, P2 and P3`. */
export function listed(items: readonly string[]): string {
  const last = items.at(-1);
  if (last === undefined) return "";
  return items.length === 1 ? last : `${items.slice(0, -1).join(", ")} and ${last}`;
}

/** Digits in groups of three, with thin spaces, so that a long number breaks between groups and not within one. */
export function grouped(digits: string): string {
  return digits.replace(/\B(?=(?:[0-9]{3})+$)/g, "\u2009");
}

/** A sentence whose long numbers can be read. */
export function readable(sentence: string): string {
  return sentence.replace(/(?<![0-9.])[0-9]{7,}(?![0-9.][0-9])/g, grouped);
}

/** The first digits of a number that is too long for a picture. */
export function beginning(digits: string, length: number): string {
  return digits.length <= length ? digits : `${digits.slice(0, length)}…`;
}

/** `1 message`, `2 messages`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
