/** The grade: typed, checked against the scale and kept on this device. */
import { button, el, setShown, setText } from "../dom";
import { read, show } from "../protocol/scale";
import type { Session } from "./session";

const HIDDEN = "••••";

export class GradeCard {
  readonly node = el("section", { class: "card", "aria-labelledby": "grade-title" });
  private readonly input = el("input", {
    id: "grade",
    inputmode: "decimal",
    autocomplete: "off",
    class: "grade",
    "aria-describedby": "grade-hint grade-problem",
  });
  private readonly hint = el("p", { id: "grade-hint", class: "quiet" });
  private readonly problem = el("p", { id: "grade-problem", class: "problem", role: "alert", hidden: true });
  private readonly go = el("button", { type: "submit", class: "primary", disabled: true }, "I am ready");
  private readonly form: HTMLFormElement;
  private readonly kept: HTMLElement;
  private readonly value = el("strong", { class: "number" }, HIDDEN);
  private readonly reveal: HTMLButtonElement;
  private readonly change: HTMLButtonElement;
  private isRevealed = false;

  constructor(private readonly session: Session) {
    this.form = el(
      "form",
      { novalidate: true },
      el("label", { for: "grade" }, "Type your grade"),
      this.hint,
      this.input,
      this.problem,
      this.go,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.take();
    });
    this.reveal = button("Show", () => this.toggle(), { "aria-pressed": "false" });
    this.change = button("Change", () => this.edit());
    this.kept = el(
      "div",
      { class: "kept", hidden: true },
      el("p", {}, "Only here: ", this.value),
      el("div", { class: "actions" }, this.reveal, this.change),
    );
    this.node.append(el("h2", { id: "grade-title" }, "Your grade"), this.form, this.kept);
  }

  focus(): void {
    this.input.focus();
  }

  update(): void {
    const { session } = this;
    const { scale } = session.class ?? {};
    this.go.disabled = scale === undefined;
    setText(this.hint, scale === undefined ? "" : `From ${scale.min} to ${scale.max}. It stays on this device.`);
    setShown(this.form, !session.isReady && !session.hasEnded);
    setShown(this.kept, session.isReady);
    setShown(this.node, !session.hasEnded);
    this.change.disabled = session.isPlaying;
    const text = session.units === undefined || scale === undefined ? "" : show(scale, session.units);
    setText(this.value, this.isRevealed ? text : HIDDEN);
    setText(this.reveal, this.isRevealed ? "Hide" : "Show");
    this.reveal.setAttribute("aria-pressed", String(this.isRevealed));
  }

  private take(): void {
    const { scale } = this.session.class ?? {};
    if (scale === undefined) return;
    const reading = read(scale, this.input.value);
    const isProblem = "problem" in reading;
    this.input.toggleAttribute("aria-invalid", isProblem);
    setShown(this.problem, isProblem);
    if (isProblem) {
      setText(this.problem, `${reading.problem}. Nothing was sent.`);
      this.input.focus();
      return;
    }
    this.isRevealed = false;
    this.input.value = "";
    this.session.setValue(reading.units).catch((error: unknown) => this.complain(error));
    this.reveal.focus();
  }

  private toggle(): void {
    this.isRevealed = !this.isRevealed;
    this.update();
  }

  private edit(): void {
    this.session.takeBack().catch((error: unknown) => this.complain(error));
    this.input.focus();
  }

  private complain(error: unknown): void {
    setText(this.problem, error instanceof Error ? error.message : "The teacher’s computer did not take it.");
    setShown(this.problem, true);
  }
}
