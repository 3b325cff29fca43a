/** Collude: the choice of those who put together what they saw. */
import { button, el, setShown, setText } from "../dom";
import { listed } from "../names";
import { nameIn, type Director, type Scene } from "./director";
import { USUAL_COLLUDERS } from "./example";

export class ColludePanel {
  readonly node = el("section", { class: "panel collude", "aria-labelledby": "collude-title", hidden: true });
  private readonly boxes = el("div", { class: "boxes" });
  private readonly go: HTMLButtonElement;
  private readonly news = el("p", { class: "status" });
  private readonly warning = el("p", { class: "quiet" });
  private readonly chosen = new Set<number>();
  private seats = "";

  constructor(private readonly director: () => Director) {
    this.go = button("Collude", () => this.director().collude([...this.chosen].sort((a, b) => a - b)), { class: "primary" });
    this.node.append(
      el("h2", { id: "collude-title" }, "Collude"),
      el(
        "fieldset",
        {},
        el("legend", {}, "Who puts together what they saw? Two neighbours of one pupil, for example."),
        this.boxes,
      ),
      this.warning,
      el("div", { class: "actions" }, this.go),
      this.news,
    );
  }

  update(scene: Scene): void {
    const { play } = scene;
    setShown(this.node, play?.outcome !== undefined);
    if (play?.outcome === undefined) return;
    const seats = JSON.stringify([scene.mode, play.seats, scene.pupils.map(({ name }) => name)]);
    if (seats !== this.seats) {
      this.seats = seats;
      this.fill(scene, play.seats);
    }
    this.go.disabled = this.chosen.size === 0 || this.chosen.size >= play.seats.length;
    setText(
      this.warning,
      scene.mode === "live"
        ? "Their phones ask them first. What they show, their own grades too, appears here: play this with invented grades."
        : "The neighbours of P4 are P3 and P5.",
    );
    setText(this.news, answers(scene));
  }

  private fill(scene: Scene, seats: readonly number[]): void {
    const name = (pupil: number) => nameIn(scene, pupil);
    for (const pupil of [...this.chosen]) if (!seats.includes(pupil)) this.chosen.delete(pupil);
    if (scene.mode === "example" && this.chosen.size === 0) USUAL_COLLUDERS.forEach((pupil) => this.chosen.add(pupil));
    const boxes = seats.map((pupil) => {
      const box = el("input", { type: "checkbox", name: "colluder", value: pupil, checked: this.chosen.has(pupil) });
      box.addEventListener("change", () => {
        if (box.checked) this.chosen.add(pupil);
        else this.chosen.delete(pupil);
        this.update(this.director().scene());
      });
      return el("label", { class: "box" }, box, name(pupil));
    });
    this.boxes.replaceChildren(...boxes);
  }
}

/** Who has answered, and who is asked still. */
function answers(scene: Scene): string {
  const { play } = scene;
  if (play === undefined || play.asked.length === 0 || scene.mode === "example") return "";
  const name = (pupil: number) => nameIn(scene, pupil);
  if (play.contradiction !== "") return `What they showed cannot be true: ${play.contradiction}.`;
  if (play.refused.length > 0) {
    const who = listed(play.refused.map(name));
    return `${who} did not want to show ${play.refused.length === 1 ? "its" : "their"} numbers: the attack does not happen.`;
  }
  const open = play.asked.filter((pupil) => !play.shown.includes(pupil));
  return open.length > 0 ? `Asked, no answer yet: ${listed(open.map(name))}.` : "";
}
