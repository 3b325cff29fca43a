/** The buttons: which protocol, and play, step, stop. */
import { button, el, setShown, setText } from "../dom";
import { counted, listed } from "../names";
import { FEWEST, PROTOCOLS, type Protocol } from "../protocol/plan";
import { showAverage } from "../protocol/scale";
import { nameIn, type Director, type Scene } from "./director";
import { isRunning } from "./state";

export const LABELS: Record<Protocol, readonly [string, string]> = {
  ring: ["One ring", "a masked sum goes around"],
  rings: ["Repair: Walecki’s rings", "shares, other neighbours in each ring"],
  shares: ["Direct sharing", "a share to everybody"],
};

/** Milliseconds between two messages. */
const PACES: readonly (readonly [string, number])[] = [
  ["slow", 1600],
  ["normal", 800],
  ["fast", 200],
];
export const USUAL_PACE = 800;

export class Controls {
  readonly node = el("section", { class: "panel controls", "aria-labelledby": "controls-title" });
  private readonly title = el("h2", { id: "controls-title", tabindex: -1 }, "Play a round");
  private readonly radios = new Map<Protocol, HTMLInputElement>();
  private readonly play: HTMLButtonElement;
  private readonly step: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private readonly pace: HTMLSelectElement;
  private readonly status = el("p", { class: "status" });
  private readonly problem = el("p", { class: "problem", role: "alert", hidden: true });
  private readonly ending = el("div", { class: "ending" });
  private shown = "";

  constructor(private readonly director: () => Director) {
    this.play = kept("Play", () => this.director().play(this.protocol), "primary");
    this.step = kept("Step", () => this.director().step(this.protocol));
    this.stop = kept("Stop", () => this.director().stop());
    const paces = PACES.map(([name, milliseconds]) =>
      el("option", { value: milliseconds, selected: milliseconds === USUAL_PACE }, name),
    );
    this.pace = el("select", { id: "pace" }, ...paces);
    this.pace.addEventListener("change", () => this.director().setPace(this.milliseconds));
    this.node.append(
      this.title,
      el("fieldset", { class: "protocols" }, el("legend", { class: "visually-hidden" }, "How"), ...PROTOCOLS.map((each) => this.choice(each))),
      el("div", { class: "actions" }, this.play, this.step, this.stop, el("span", { class: "pace" }, el("label", { for: "pace" }, "Speed"), this.pace)),
      this.problem,
      this.status,
      this.ending,
    );
  }

  /** The chosen protocol. */
  get protocol(): Protocol {
    return PROTOCOLS.find((each) => this.radios.get(each)?.checked === true) ?? "ring";
  }

  set protocol(protocol: Protocol) {
    const radio = this.radios.get(protocol);
    if (radio !== undefined) radio.checked = true;
  }

  get milliseconds(): number {
    return Number(this.pace.value);
  }

  /** Takes the focus from a button that is gone. */
  focus(): void {
    this.title.focus({ preventScroll: true });
  }

  update(scene: Scene): void {
    const running = isRunning(scene.play);
    const enough = ready(scene) >= FEWEST;
    for (const radio of this.radios.values()) radio.disabled = running;
    setUsable(this.play, running ? scene.isPaused : enough);
    setUsable(this.step, running || enough);
    setUsable(this.stop, running);
    setText(this.play, running && scene.isPaused ? "Play on" : "Play");
    setText(this.status, sentence(scene));
    setText(this.problem, scene.problem);
    setShown(this.problem, scene.problem !== "");
    this.showEnding(scene);
  }

  private choice(protocol: Protocol): HTMLElement {
    const [title, what] = LABELS[protocol];
    const radio = el("input", { type: "radio", name: "protocol", id: `protocol-${protocol}`, value: protocol, checked: protocol === "ring" });
    this.radios.set(protocol, radio);
    return el("label", { class: "choice", for: `protocol-${protocol}` }, radio, el("span", {}, el("strong", {}, title), el("small", {}, what)));
  }

  /** The average, or why there is none and how to go on. */
  private showEnding(scene: Scene): void {
    const { play } = scene;
    const shown = JSON.stringify([play?.run, play?.outcome, play?.stopped, scene.pupils.map(({ name }) => name)]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.ending.replaceChildren();
    if (play?.outcome !== undefined) {
      const { average, pupils, total } = play.outcome;
      const text = scene.scale === undefined ? String(average) : showAverage(scene.scale, average);
      this.ending.append(
        el("p", { class: "average" }, el("span", {}, `The average of ${pupils} grades`), el("strong", {}, text)),
        el("p", { class: "quiet" }, `Their sum is ${total}. Each pupil knows its own grade and this, and nothing else.`),
      );
    }
    if (play?.stopped !== undefined) {
      this.ending.append(
        el("p", { class: "stopped" }, el("strong", {}, "Stopped: "), `${play.stopped.message}.`),
        el("p", { class: "quiet" }, "There is no average, and a masked number on its own tells nothing."),
        el("div", { class: "actions" }, ...this.ways(scene, play.stopped.suspects)),
      );
    }
  }

  private ways(scene: Scene, suspects: readonly number[]): HTMLElement[] {
    const name = (pupil: number) => nameIn(scene, pupil);
    const without = (pupils: readonly number[]) =>
      button(`Play again without ${listed(pupils.map(name))}`, () => {
        this.focus();
        this.director().playWithout(pupils, this.protocol);
      });
    const each = suspects.map((pupil) => without([pupil]));
    return suspects.length > 1 ? [...each, without(suspects)] : each;
  }
}

/** A button that keeps the focus also while it does nothing: a disabled one would lose it to the page. */
function kept(label: string, onClick: () => void, kind?: string): HTMLButtonElement {
  const made = button(label, () => {
    if (made.getAttribute("aria-disabled") !== "true") onClick();
  }, { class: kind });
  return made;
}

function setUsable(node: HTMLButtonElement, isUsable: boolean): void {
  node.setAttribute("aria-disabled", String(!isUsable));
}

/** How many could play a round that starts now. */
function ready({ pupils }: Scene): number {
  return pupils.filter(({ state }) => state === "ready").length;
}

function sentence(scene: Scene): string {
  const { play } = scene;
  if (play === undefined || !isRunning(play)) {
    const count = ready(scene);
    const more = FEWEST - count;
    const there = scene.mode === "example" ? `${count} pupils play with open cards.` : `${counted(count, "pupil")} ready to play.`;
    return more > 0 ? `${there} It takes ${more} more.` : there;
  }
  const passed = `${play.hops.length} of ${counted(play.of, "message")} passed.`;
  if (!scene.isPaused) return passed;
  return play.held > 0 ? `${passed} ${counted(play.held, "message")} waiting for the next step.` : `${passed} Waiting for the pupils.`;
}
