/** The class: who is there, who is ready, and who is left out. */
import { button, el, setShown, setText } from "../dom";
import { counted, named } from "../names";
import type { Attendant, Director, Scene } from "./director";

const STATES: Record<Attendant["state"], string> = {
  joined: "no grade yet",
  ready: "ready",
  gone: "gone",
  "left out": "left out",
};

const HEADS = "Compare it with every phone, and count heads: every pupil on the list must be in the room.";

interface Row {
  readonly node: HTMLElement;
  readonly name: HTMLElement;
  readonly state: HTMLElement;
  readonly action: HTMLButtonElement;
  readonly removal: HTMLButtonElement;
  attendant: Attendant;
}

export class Roster {
  readonly node = el("section", { class: "panel roster", "aria-labelledby": "roster-title" });
  private readonly title = el("h2", { id: "roster-title" });
  private readonly list = el("ul", { class: "pupils" });
  private readonly empty = el("p", { class: "quiet" }, "Nobody has joined yet.");
  private readonly careful = el(
    "p",
    { class: "quiet" },
    "Take care: whoever compares the average with and without a pupil, while all others keep their grades, learns this pupil’s grade.",
  );
  private readonly check = el("strong", { class: "code", id: "check" });
  private readonly roundCheck = el("strong", { class: "code", id: "round-check" });
  private readonly ofRound = el("span", { hidden: true }, " Check of the last round: ", this.roundCheck, ".");
  private readonly checkLine = el("p", { class: "quiet" });
  private readonly rows = new Map<string, Row>();

  constructor(private readonly director: () => Director) {
    this.node.append(this.title, this.empty, this.list, this.careful, this.checkLine);
    this.checkLine.append("Class check ", this.check, ". ", HEADS, this.ofRound);
  }

  update(scene: Scene, grades: ReadonlyMap<number, string>, check: string, roundCheck: string): void {
    setText(this.roundCheck, roundCheck);
    setShown(this.ofRound, roundCheck !== "");
    setText(this.check, check);
    setShown(this.checkLine, check !== "");
    setText(this.title, scene.mode === "live" ? `The class: ${counted(scene.pupils.length, "pupil")}` : "The example class and its grades");
    setShown(this.empty, scene.pupils.length === 0);
    const isCareful = scene.mode === "live" && scene.rounds > 0 && scene.pupils.some(({ state }) => state !== "ready");
    setShown(this.careful, isCareful);
    this.list.classList.toggle("compact", scene.mode === "example");
    const keys = new Set(scene.pupils.map(({ pupil }) => `${scene.mode} ${pupil}`));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.node.remove();
      this.rows.delete(key);
    }
    for (const attendant of scene.pupils) this.show(scene, attendant, grades.get(attendant.pupil));
  }

  private show(scene: Scene, attendant: Attendant, grade: string | undefined): void {
    const key = `${scene.mode} ${attendant.pupil}`;
    let row = this.rows.get(key);
    if (row === undefined) {
      row = this.add(attendant);
      this.rows.set(key, row);
    }
    row.attendant = attendant;
    const name = named(attendant.pupil, attendant.name);
    setText(row.name, name);
    setText(row.state, grade ?? STATES[attendant.state]);
    row.node.dataset["state"] = attendant.state;
    setShown(row.action, scene.mode === "live");
    const isOut = attendant.state === "left out";
    setText(row.action, isOut ? "Take back" : "Leave out");
    row.action.setAttribute("aria-label", isOut ? `Take back ${name}` : `Leave out ${name}`);
    setShown(row.removal, scene.mode === "live" && isOut);
    row.removal.setAttribute("aria-label", `Remove ${name} from the class`);
  }

  private add(attendant: Attendant): Row {
    const [name, state] = [el("strong"), el("span", { class: "state" })];
    const action = button("", () => {
      const { pupil, state: now } = row.attendant;
      this.director().leaveOut(pupil, now !== "left out");
    }, { class: "small" });
    const removal = button("Remove", () => this.director().remove(row.attendant.pupil), { class: "small" });
    const node = el("li", {}, name, state, action, removal);
    const row: Row = { node, name, state, action, removal, attendant };
    this.list.append(node);
    return row;
  }
}
