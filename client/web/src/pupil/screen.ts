/** Screen: the pupil's page once it has joined, kept up to date with its session. */
import { button, byId, el, setShown, setText } from "../dom";
import type { Line } from "../host";
import { counted, listed, named } from "../names";
import { GradeCard } from "./grade";
import { rejoinButton } from "./join";
import { RoundCard } from "./round";
import type { Session } from "./session";

const LINES: Record<Line, string> = {
  connected: "",
  interrupted: "The network is away. The page goes on by itself when it is back.",
  lost: "The class does not know this page any more.",
  broken: "This page does not understand what the teacher’s computer sent, and plays no more.",
};

export class Screen {
  private readonly notice = el("section", { class: "card notice", "aria-label": "Notice", hidden: true });
  private readonly ask = el("section", { class: "card ask", "aria-labelledby": "ask-title", tabindex: -1, hidden: true });
  private readonly status = el("p", { class: "status" });
  private session: Session | undefined;
  private grade: GradeCard | undefined;
  private round: RoundCard | undefined;
  private line: Line = "connected";
  private asked = "";

  /** Takes the place of the form. */
  open(session: Session): void {
    this.session = session;
    this.grade = new GradeCard(session);
    this.round = new RoundCard(session);
    const main = byId("main");
    main.replaceChildren(this.notice, this.ask, this.grade.node, this.status, this.round.node);
    this.update(session);
    this.grade.focus();
  }

  setLine(line: Line): void {
    this.line = line;
    if (this.session !== undefined) this.update(this.session);
  }

  update(session: Session): void {
    if (this.session === undefined) return;
    this.showWho(session);
    this.showNotice(session);
    this.showAsk(session);
    this.grade?.update();
    setText(this.status, sentence(session));
    this.round?.update();
    setText(byId("live"), `${sentence(session)} ${this.round?.news() ?? ""}`.trim());
  }

  private showWho(session: Session): void {
    const own = session.class?.pupils.find(({ pupil }) => pupil === session.me);
    setText(byId("who"), named(session.me, own?.name));
    setShown(byId("who"), true);
    setText(byId("check"), session.check);
    setShown(byId("check-line"), session.check !== "");
  }

  private showNotice(session: Session): void {
    const isOver = session.hasEnded || this.line === "lost" || this.line === "broken" || session.alarm !== undefined;
    const text = session.hasEnded ? "The class is over. Thank you." : (session.alarm ?? LINES[this.line]);
    setShown(this.notice, text !== "");
    if (this.notice.firstElementChild?.textContent === text) return;
    const again = isOver && !session.hasEnded ? rejoinButton() : null;
    this.notice.replaceChildren(el("p", { role: "alert" }, text), ...(again ? [again] : []));
  }

  /** A question that the page asks before it goes on: one at a time. */
  private showAsk(session: Session): void {
    const { round } = session;
    const asked = round?.answered === undefined ? round?.asked : undefined;
    const isOpen = asked !== undefined || round?.isQuestion === true;
    const question = isOpen ? `${round?.run}:${asked?.join() ?? "play"}` : "";
    setShown(this.ask, isOpen);
    if (question === this.asked) return;
    this.asked = question;
    if (!isOpen) {
      byId("main").focus();
      return;
    }
    this.ask.replaceChildren(...(asked === undefined ? otherPlayers(session) : collusion(session, asked)));
    this.ask.focus();
  }
}

/** The question whether to play with other pupils than before. */
function otherPlayers(session: Session): HTMLElement[] {
  const players = session.round?.players.map(({ pupil }) => session.nameOf(pupil)) ?? [];
  return [
    el("h2", { id: "ask-title" }, "The players have changed"),
    el("p", {}, `This round: ${listed(players)}.`),
    el("p", {}, "There was a total of other players before. Whoever compares both totals may learn the grade of somebody who is only in one of them."),
    el("p", {}, "Before you play, you can also change your grade: do not play, then press Change."),
    actions(button("Play", () => void session.decide(true)), button("Do not play", () => void session.decide(false))),
  ];
}

/** The question whether to play a colluder. */
function collusion(session: Session, asked: readonly number[]): HTMLElement[] {
  const others = asked.filter((pupil) => pupil !== session.me).map((pupil) => session.nameOf(pupil));
  const together = others.length > 0 ? ` together with ${listed(others)}` : "";
  return [
    el("h2", { id: "ask-title" }, "Will you play an attacker?"),
    el("p", {}, `Your teacher asks you to collude${together}. Everything that you saw in this round would be shown on the projector:`),
    el(
      "ul",
      {},
      el("li", {}, "the numbers that you received and sent,"),
      el("li", {}, el("strong", {}, "your own grade"), " and what you added for it,"),
      el("li", {}, "and what all this together tells about other pupils."),
    ),
    el("p", {}, "Agree only if you play with invented grades. Without you the attack does not happen."),
    actions(button("Show it", () => void session.answer(true)), button("Do not show it", () => void session.answer(false))),
  ];
}

function actions(...buttons: HTMLButtonElement[]): HTMLElement {
  return el("div", { class: "actions" }, ...buttons);
}

/** Where the class stands, in one sentence. */
function sentence(session: Session): string {
  const pupils = session.class?.pupils ?? [];
  const own = pupils.find(({ pupil }) => pupil === session.me);
  if (session.hasEnded) return "";
  if (session.round?.isQuestion === true) return "The round waits for your answer.";
  if (session.isPlaying) return "The round is running.";
  if (own?.leftOut === true) return "The teacher plays without you for now. You can look on.";
  if (!session.isReady) return "";
  const there = pupils.filter(({ connected, leftOut }) => connected && !leftOut);
  const ready = there.filter((member) => member.ready);
  return `Wait for your teacher to start: ${ready.length} of ${counted(there.length, "pupil")} ready.`;
}
