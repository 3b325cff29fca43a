/** The round: what this pupil received, added and sent, the average, and what it knows at the end. */
import { button, el, setShown, setText } from "../dom";
import { counted, grouped, listed } from "../names";
import { predecessor, successor, type Protocol } from "../protocol/plan";
import type { Pupil } from "../protocol/pupil";
import { show, showAverage } from "../protocol/scale";
import { signed, type Word } from "../protocol/word";
import type { Round, Session } from "./session";

const TITLES: Record<Protocol, string> = { ring: "one ring", rings: "several rings", shares: "direct sharing" };
const HIDDEN = "••••••";
const HIDDEN_WHY =
  "Masked numbers are hidden too: what you sent less what you received is what you added, and in one ring that is your grade. Show them only where nobody looks on.";
const CHECK_HINT =
  "Compare it with the projector, and count heads: every pupil on this list must be in the room.";

export class RoundCard {
  readonly node = el("section", { class: "card round", "aria-labelledby": "round-title", hidden: true });
  private readonly title = el("h2", { id: "round-title" });
  private readonly body = el("div", { class: "moves" });
  private readonly end = el("div", { class: "end" });
  private readonly players = el("p", { class: "quiet" });
  private readonly check = el("strong", { class: "code", id: "round-check" });
  private readonly checkLine = el("p", { class: "quiet" }, "Check of this round: ", this.check, `. ${CHECK_HINT}`);
  private readonly why = el("p", { class: "quiet" }, HIDDEN_WHY);
  private readonly reveal: HTMLButtonElement;
  private isRevealed = false;
  private run = "";

  constructor(private readonly session: Session) {
    this.reveal = button("Show my own numbers", () => this.toggle(), { "aria-pressed": "false" });
    this.node.append(this.title, this.end, this.body, this.why, this.reveal, this.players, this.checkLine);
  }

  update(): void {
    const { round } = this.session;
    setShown(this.node, round !== undefined);
    if (round === undefined) return;
    if (round.run !== this.run) {
      this.run = round.run;
      this.isRevealed = false;
    }
    setText(this.title, `Round ${this.session.rounds}: ${TITLES[round.started.protocol]}`);
    setText(this.reveal, this.isRevealed ? "Hide my own numbers" : "Show my own numbers");
    this.reveal.setAttribute("aria-pressed", String(this.isRevealed));
    setShown(this.reveal, round.pupil !== undefined);
    setShown(this.why, round.pupil !== undefined && !this.isRevealed);
    const names = round.players.map(({ pupil }) => this.session.nameOf(pupil));
    setText(this.players, `${counted(round.started.seats.length, "player")}: ${listed(names)}.`);
    setText(this.check, round.check);
    setShown(this.checkLine, round.check !== "");
    this.body.replaceChildren(...this.moves(round));
    this.end.replaceChildren(...this.ending(round));
  }

  /** What happened last, for those who do not see the page. */
  news(): string {
    const { round } = this.session;
    if (round === undefined) return "";
    if (round.problem !== undefined) return round.problem;
    if (round.stopped !== undefined) return `The round was stopped: ${round.stopped.message}.`;
    if (round.outcome !== undefined) return `The average is ${this.average(round.outcome.average)}.`;
    const { pupil } = round;
    if (pupil === undefined) return round.isQuestion ? "" : "You look on.";
    if (round.started.protocol !== "ring") return "";
    return `${counted(pupil.received.length, "number")} received, ${counted(pupil.sent.length, "number")} sent.`;
  }

  private toggle(): void {
    this.isRevealed = !this.isRevealed;
    this.update();
  }

  private moves(round: Round): HTMLElement[] {
    const { pupil } = round;
    if (pupil === undefined) return [];
    if (round.started.protocol === "shares") return [this.shares(round, pupil)];
    return pupil.plan.rings.map((_, ring) => this.ring(round, pupil, ring));
  }

  /** One ring: in, mine, out; for the first pupil mask and value go out, and the sum comes back. */
  private ring(round: Round, pupil: Pupil, ring: number): HTMLElement {
    const isFirst = pupil.seat === 0;
    const received = pupil.received.find((message) => message.ring === ring);
    const sent = pupil.sent.find((message) => message.ring === ring);
    const mine = round.started.protocol === "ring" ? "my grade" : "my share";
    const added = round.started.protocol === "ring" ? this.own(round, pupil.secrets.value) : this.secret(pupil.secrets.shares[ring]);
    const source = this.name(round, predecessor(pupil.plan, ring, pupil.seat));
    const target = this.name(round, successor(pupil.plan, ring, pupil.seat));
    const before = isFirst ? undefined : this.line(`received from ${source}`, received?.value);
    const mask = isFirst ? row("my random mask", this.secret(pupil.secrets.masks[ring])) : undefined;
    const after = isFirst ? this.line(`came back from ${source}`, received?.value) : undefined;
    const rows = [
      before,
      mask,
      row(before === undefined ? mine : `+ ${mine}`, added),
      this.line(`sent to ${target}`, sent?.value),
      after,
    ];
    const title = pupil.plan.rings.length > 1 ? el("h3", {}, `Ring ${ring + 1} of ${pupil.plan.rings.length}`) : null;
    return el("div", { class: "move" }, title, el("dl", {}, ...rows));
  }

  /** Who sits there. */
  private name(round: Round, seat: number): string {
    return this.session.nameOf(round.started.seats[seat] ?? 0);
  }

  private line(what: string, value: Word | undefined): HTMLElement {
    return row(what, value === undefined ? el("dd", { class: "quiet" }, "not yet") : this.secret(value));
  }

  private shares(round: Round, pupil: Pupil): HTMLElement {
    const seats = round.started.seats;
    const lines = seats.map((number, seat) => {
      const sent = pupil.sent.find((message) => message.to === seat)?.value;
      const received = pupil.received.find((message) => message.from === seat)?.value;
      if (seat === pupil.seat) return [row("kept by me", this.secret(pupil.secrets.shares[seat]))];
      const who = this.session.nameOf(number);
      return [this.line(`sent to ${who}`, sent), this.line(`received from ${who}`, received)];
    });
    const own = pupil.announced.get(pupil.seat);
    const announced = own === undefined ? undefined : row("my announcement: what I kept and received, added up", announcedNumber(own));
    return el(
      "div",
      { class: "move" },
      el("p", {}, `Your grade was split into ${seats.length} numbers at random that add up to it.`),
      el("div", { class: "exchange" }, ...lines.map((rows) => el("dl", {}, ...rows))),
      announced === undefined ? null : el("dl", {}, announced),
    );
  }

  private ending(round: Round): HTMLElement[] {
    const made: HTMLElement[] = [];
    if (round.problem !== undefined) made.push(el("p", { class: "problem" }, round.problem));
    if (round.pupil === undefined && round.problem === undefined && !round.isQuestion) made.push(el("p", {}, "You look on in this round."));
    if (round.stopped !== undefined) {
      made.push(el("p", { class: "stopped" }, el("strong", {}, "Stopped: "), `${round.stopped.message}.`));
      made.push(el("p", {}, "There is no average, and a masked number on its own tells nothing."));
    }
    if (round.outcome !== undefined) made.push(...this.knowledge(round, round.outcome));
    if (round.answered !== undefined) {
      const text = round.answered === "shown" ? "You showed what you saw in this round." : "You showed nothing of this round.";
      made.push(el("p", {}, text));
    }
    return made;
  }

  private knowledge(round: Round, outcome: { pupils: number; total: string; average: number }): HTMLElement[] {
    const { scale } = this.session.class ?? {};
    const average = el(
      "p",
      { class: "average" },
      el("span", {}, `The average of ${outcome.pupils} grades`),
      el("strong", {}, this.average(outcome.average)),
    );
    if (round.pupil === undefined || scale === undefined) return [average];
    const others = signedTotal(outcome.total) - round.units;
    const facts = [
      "my own grade;",
      `the average, and so the sum of all grades: ${outcome.total};`,
      `so the sum of the other ${outcome.pupils - 1} grades${this.isRevealed ? `: ${show(scale, others)}` : ", which is the sum less mine"};`,
    ];
    return [
      average,
      el("h3", {}, "What I know now"),
      el("ul", { class: "facts" }, ...facts.map((fact) => el("li", {}, fact)), el("li", {}, el("strong", {}, "everything else: nothing."))),
    ];
  }

  private average(average: number): string {
    const { scale } = this.session.class ?? {};
    return scale === undefined ? String(average) : showAverage(scale, average);
  }

  private own(round: Round, value: Word): HTMLElement {
    const { scale } = this.session.class ?? {};
    const text = scale === undefined ? String(signed(value)) : `${show(scale, round.units)} (as ${signed(value)})`;
    return el("dd", { class: "number secret" }, this.isRevealed ? text : HIDDEN);
  }

  private secret(value: Word | undefined): HTMLElement {
    return el("dd", { class: "number secret" }, this.isRevealed && value !== undefined ? grouped(value.toString()) : HIDDEN);
  }
}

function row(term: string, description: HTMLElement): HTMLElement {
  return el("div", {}, el("dt", {}, term), description);
}

/** What everybody hears. */
function announcedNumber(value: Word): HTMLElement {
  return el("dd", { class: "number" }, grouped(value.toString()));
}

/** A total as the host writes it, in units. */
function signedTotal(text: string): bigint {
  return BigInt(text.replace(".", ""));
}
