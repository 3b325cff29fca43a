/** Tables: what every picture shows, for those who read rather than see it. */
import { el, setShown, setText } from "../dom";
import { grouped } from "../names";
import { nameIn, type Scene } from "./director";
import { shownNumber } from "./picture";

/** A table with a caption and a header for each column; it scrolls within itself, by keyboard too. */
export function table(caption: string, columns: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  const head = el("tr", {}, ...columns.map((column) => el("th", { scope: "col" }, column)));
  const made = el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...rows.map(line)));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, made);
}

function line(cells: readonly string[]): HTMLElement {
  return el("tr", {}, ...cells.map((cell) => el("td", {}, cell)));
}

/** Every message of the round, and what was announced. */
export class MessagesPanel {
  readonly node = el("section", { class: "panel messages", "aria-labelledby": "messages-title" });
  private readonly caption = el("caption");
  private readonly number = el("th", { scope: "col" });
  private readonly ring = el("th", { scope: "col" }, "Ring");
  private readonly rows = el("tbody");
  private readonly announced = el("div");
  private readonly messages: HTMLElement;
  private readonly empty = el("p", { class: "quiet" }, "No message has passed yet.");
  private run = "";
  private count = 0;
  private heard = 0;

  constructor() {
    const columns = ["No.", "From", "To"].map((column) => el("th", { scope: "col" }, column));
    const head = el("tr", {}, columns[0], this.ring, columns[1], columns[2], this.number);
    this.messages = el(
      "div",
      { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Messages" },
      el("table", {}, this.caption, el("thead", {}, head), this.rows),
    );
    this.node.append(el("h2", { id: "messages-title" }, "Every message"), this.empty, this.messages, this.announced);
  }

  update(scene: Scene): void {
    const { play, mode } = scene;
    setShown(this.empty, play === undefined);
    setShown(this.messages, play !== undefined);
    if (play === undefined) {
      this.announced.replaceChildren();
      return;
    }
    if (play.run !== this.run) {
      this.run = play.run;
      this.count = 0;
      this.heard = 0;
      this.rows.replaceChildren();
      this.announced.replaceChildren();
    }
    const name = (pupil: number) => nameIn(scene, pupil);
    setText(this.caption, mode === "live" ? "All that the host has: who sends to whom, and sealed messages" : "The masked numbers, with open cards");
    setText(this.number, mode === "live" ? "Sealed message (hex)" : "Masked number");
    play.hops.slice(this.count).forEach((hop, place) => {
      const ring = play.protocol === "shares" ? "–" : String(hop.ring + 1);
      const places = [String(this.count + place + 1), ring].map((cell) => el("td", {}, cell));
      const ends = [name(hop.from), name(hop.to)].map((cell) => el("td", { class: "who" }, cell));
      this.rows.append(el("tr", {}, ...places, ...ends, el("td", { class: "number" }, shownNumber(hop, mode))));
    });
    this.count = play.hops.length;
    if (play.announced.length === this.heard) return;
    this.heard = play.announced.length;
    const rows = play.announced.map(({ from, value }) => [name(from), grouped(value)]);
    this.announced.replaceChildren(table("Announced to everybody, modulo 2^64", ["By", "Number"], rows));
  }
}
