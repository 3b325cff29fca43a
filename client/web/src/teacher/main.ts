/** The teacher's page: the ring on the projector, the buttons, and what it shows. */
import { button, byId, el, setShown, setText } from "../dom";
import { Host } from "../host";
import { ColludePanel } from "./collude";
import { Controls, USUAL_PACE } from "./controls";
import { nameIn, type Director, type Mode, type Scene } from "./director";
import { ExampleClass } from "./example";
import { FindingPanel } from "./finding";
import { JoinDialog, JoinPanel } from "./join";
import { LiveClass } from "./live";
import { RingPicture, shownNumber, type Marks } from "./picture";
import { Roster } from "./roster";
import { isRunning } from "./state";
import { MessagesPanel } from "./tables";

const TOKEN = "sotto-ring-teacher";
const TRAVEL_PART = 0.8;
const LONGEST_TRAVEL_MS = 900;
/** A sealed message is too long to be read aloud in full. */
const CAPTION_DIGITS = 12;

const WHY: Record<Mode, string> = {
  live:
    "The numbers that travel here are sealed messages: the pupils’ devices seal them for each other, the host hands them on and cannot read them, and this is all it has. If the room saw every masked number, everybody could subtract neighbouring ones and read every grade. So each phone shows its own two numbers only. What the pupils trust: that the host serves them the right page. The check is the same on all screens when all have the same list with the same keys; a made-up pupil on that list it does not find: compare the check, and count heads.",
  example:
    "Open cards: this class is an example, its grades are known, and nothing is secret. The numbers that travel here are the real masked numbers. In your own class only the sealed messages are shown.",
};

class Page {
  private mode: Mode = "live";
  private readonly live: LiveClass;
  private readonly example: ExampleClass;
  private readonly picture = new RingPicture();
  private readonly caption = el("figcaption", { class: "caption" });
  private readonly controls = new Controls(() => this.director);
  private readonly collude = new ColludePanel(() => this.director);
  private readonly finding = new FindingPanel(() => this.director, (protocol) => {
    this.controls.protocol = protocol;
    this.controls.focus();
  });
  private readonly roster = new Roster(() => this.director);
  private readonly messages = new MessagesPanel();
  private readonly lobby = new JoinPanel("Join the class", "h2");
  private readonly dialog = new JoinDialog();
  private readonly sources: readonly (readonly [Mode, HTMLButtonElement])[];
  private readonly why = el("p");
  private readonly figure: HTMLElement;
  private isDue = false;
  private said = "";
  private run: string | undefined;

  constructor(host: Host) {
    const changed = () => this.schedule();
    this.live = new LiveClass(host, USUAL_PACE, changed);
    const ask = (protocol: string, collude: readonly number[]) => host.ask("/api/teacher/example", { protocol, collude });
    this.example = new ExampleClass(ask, USUAL_PACE, changed);
    this.sources = [
      ["live", button("This class (sealed numbers)", () => this.show("live"))],
      ["example", button("Example class (open cards)", () => this.show("example"))],
    ];
    byId("source").append(...this.sources.map(([, node]) => node));
    byId("join").append(button("How to join", () => this.dialog.open()));
    this.figure = el("figure", { class: "stage" }, this.caption, this.picture.node);
    const why = el("section", { class: "panel why", "aria-labelledby": "why-title" }, el("h2", { id: "why-title" }, "What you see here"), this.why);
    byId("main").replaceChildren(
      el("div", { class: "left" }, el("div", { class: "stay" }, this.lobby.node, this.figure)),
      el("div", { class: "right" }, this.controls.node, this.finding.node, this.collude.node, this.roster.node, this.messages.node, why),
    );
    this.live.listen();
    this.update();
  }

  private get director(): Director {
    return this.mode === "live" ? this.live : this.example;
  }

  private show(mode: Mode): void {
    this.mode = mode;
    this.live.setPace(this.controls.milliseconds);
    this.example.setPace(this.controls.milliseconds);
    if (mode === "example") this.example.open();
    this.update();
  }

  /** Draws once per frame, however much has happened. */
  private schedule(): void {
    if (this.isDue) return;
    this.isDue = true;
    setTimeout(() => {
      this.isDue = false;
      this.update();
    }, 16);
  }

  private update(): void {
    const scene = this.director.scene();
    const { play, mode } = scene;
    this.header(mode);
    const isLobby = mode === "live" && play === undefined;
    setShown(this.lobby.node, isLobby);
    setShown(this.figure, !isLobby);
    const travel = Math.min(this.controls.milliseconds * TRAVEL_PART, LONGEST_TRAVEL_MS);
    if (!isLobby) this.picture.update(scene, marks(scene), travel);
    this.describe(caption(scene));
    this.controls.update(scene);
    this.collude.update(scene);
    this.finding.update(scene);
    if (play?.run !== this.run) {
      this.run = play?.run;
      window.scrollTo({ top: 0 });
    }
    const grades = mode === "example" ? this.example.grades() : [];
    const check = mode === "live" ? this.live.check : "";
    this.roster.update(scene, new Map(grades.map(({ pupil, value }) => [pupil, value])), check, this.live.roundCheck);
    this.messages.update(scene);
    setText(this.why, WHY[mode]);
    this.say(scene);
  }

  /** The caption; its number goes to the next line as a whole, and is broken between groups only where it must be. */
  private describe(text: string): void {
    if (this.caption.textContent === text) return;
    const colon = text.lastIndexOf(": ");
    const number = colon < 0 ? "" : text.slice(colon + 2);
    this.caption.replaceChildren(text.slice(0, text.length - number.length), el("span", { class: "digits" }, number));
  }

  private header(mode: Mode): void {
    const { class: group } = this.live.state;
    for (const [each, node] of this.sources) node.setAttribute("aria-pressed", String(each === mode));
    this.lobby.update(group?.code ?? "", group?.link ?? "");
    this.dialog.panel.update(group?.code ?? "", group?.link ?? "");
    setText(byId("code"), group?.code ?? "");
    setShown(byId("class-line"), mode === "live" && group !== undefined);
  }

  /** Tells a screen reader what happened, message by message only when somebody steps. */
  private say(scene: Scene): void {
    const text = news(scene);
    if (text === this.said) return;
    this.said = text;
    setText(byId("live"), text);
  }
}

function marks({ play, scale }: Scene): Marks {
  const finding = play?.finding;
  const number = (text: string) => Number(text.replace(/[^0-9]/g, ""));
  const exact = finding?.exact.map(({ pupil, value }): [number, string] => [
    number(pupil),
    `known: ${value.toFixed(scale?.decimals ?? 0)}`,
  ]);
  return { colluders: new Set(finding?.colluders.map(number)), known: new Map(exact) };
}

function caption(scene: Scene): string {
  const { play, mode } = scene;
  if (play === undefined) return mode === "example" ? "The example class. Press Play, or Step." : "";
  const last = play.hops.at(-1);
  if (play.stopped !== undefined) return "The round was stopped.";
  if (play.outcome !== undefined) return `All ${play.of} messages have passed.`;
  if (last === undefined) return "The round begins.";
  const name = (pupil: number) => nameIn(scene, pupil);
  const ring = play.protocol === "rings" ? `, ring ${last.ring + 1}` : "";
  const number = mode === "live" ? `sealed ${shownNumber({ ...last, number: last.number.slice(0, CAPTION_DIGITS) }, mode)}…` : shownNumber(last, mode);
  return `${play.hops.length} of ${play.of}${ring}: ${name(last.from)} → ${name(last.to)}: ${number}`;
}

function news(scene: Scene): string {
  const { play } = scene;
  if (play === undefined) return "";
  if (play.finding !== undefined) return play.finding.steps.at(-1) ?? "";
  if (play.stopped !== undefined) return `The round was stopped: ${play.stopped.message}.`;
  if (play.outcome !== undefined) return `The round is over. The average is ${play.outcome.average.toFixed(2)}.`;
  return isRunning(play) && scene.isPaused ? caption(scene) : "The round is running.";
}

/** The token of the link's fragment, which is taken out of the address; a reload finds it again. */
function takeToken(): string {
  const fragment = location.hash.slice(1);
  if (fragment !== "") {
    sessionStorage.setItem(TOKEN, fragment);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN) ?? "";
}

const token = takeToken();
if (token === "") {
  const text = "Open the link that the host’s terminal shows for the teacher: it ends with a secret that this page needs.";
  byId("main").replaceChildren(el("section", { class: "panel", role: "alert" }, el("h2", {}, "The teacher’s link"), el("p", {}, text)));
} else {
  new Page(new Host("/api/teacher", token));
}
