/** The finding: what colluders computed, step by step, as a subtraction and as the values that stay possible. */
import { button, el, setShown, svg } from "../dom";
import type { Finding } from "../events";
import { grouped, listed, readable } from "../names";
import type { Protocol } from "../protocol/plan";
import { values, type Scale } from "../protocol/scale";
import type { Director, Scene } from "./director";
import { table } from "./tables";

export class FindingPanel {
  readonly node = el("section", { class: "panel finding", "aria-labelledby": "finding-title", tabindex: -1, hidden: true });
  private shown: Finding | undefined;

  constructor(
    private readonly director: () => Director,
    private readonly choose: (protocol: Protocol) => void,
  ) {}

  update(scene: Scene): void {
    const finding = scene.play?.finding;
    setShown(this.node, finding !== undefined);
    if (finding === this.shown) return;
    this.shown = finding;
    if (finding === undefined || scene.play === undefined) return;
    this.node.replaceChildren(...this.contents(finding, scene, scene.play.protocol));
    this.node.scrollIntoView({ block: "nearest" });
    this.node.focus({ preventScroll: true });
  }

  private contents(finding: Finding, scene: Scene, protocol: Protocol): Node[] {
    const conclusion = readable(finding.steps.at(-1) ?? "");
    const subtraction = subtractions(finding, scene.scale);
    const made: Node[] = [
      el("h2", { id: "finding-title" }, `What ${listed(finding.colluders)} learned`),
      el("p", { class: finding.succeeded ? "conclusion broken" : "conclusion" }, conclusion),
      ...subtraction,
      this.further(finding, protocol),
    ];
    if (scene.scale !== undefined && finding.exact.length + finding.open.length > 0) made.push(possible(finding, scene.scale));
    made.push(
      el("h3", {}, "Step by step"),
      el("ol", { class: "steps" }, ...finding.steps.map((step) => el("li", {}, readable(step)))),
      arcs(finding),
    );
    return made;
  }

  /** From the attack to its repair. */
  private further(finding: Finding, protocol: Protocol): HTMLElement {
    const play = (next: Protocol, label: string) =>
      button(label, () => {
        this.choose(next);
        this.director().play(next);
      }, { class: next === "rings" ? "primary" : undefined });
    const ways = finding.succeeded || protocol === "ring" ? [play("rings", "Repair: play Walecki’s rings")] : [];
    if (protocol !== "shares") ways.push(play("shares", "Play direct sharing"));
    if (protocol !== "ring") ways.push(play("ring", "Play one ring again"));
    return el("div", { class: "actions" }, ...ways);
  }
}

/** The subtractions that give one pupil's grade: what came out of it less what went in. */
function subtractions(finding: Finding, scale: Scale | undefined): HTMLElement[] {
  return finding.arcs.flatMap((arc) => {
    const [pupil] = arc.honest;
    const exact = finding.exact.find((each) => each.pupil === pupil && !each.fromTotal);
    if (arc.honest.length !== 1 || pupil === undefined || arc.sum === null || exact === undefined) return [];
    const line = (what: string, value: string, kind: string) =>
      el("tr", { class: kind }, el("th", { scope: "row" }, what), el("td", { class: "number" }, value));
    const value = scale === undefined ? String(exact.value) : exact.value.toFixed(scale.decimals);
    const rings = finding.arcs.some(({ ring }) => ring > 1) ? ` in ring ${arc.ring}` : "";
    return [
      el(
        "table",
        { class: "subtraction" },
        el("caption", {}, `The subtraction that gives the grade of ${pupil}${rings}`),
        el(
          "tbody",
          {},
          line(`${arc.left.to} received from ${arc.left.from}`, grouped(arc.left.value), "from"),
          line(`${arc.entered.from} sent to ${arc.entered.to}`, `− ${grouped(arc.entered.value)}`, "less"),
          line(`${pupil} added`, `= ${grouped(arc.sum)}`, "rest"),
          line(`${pupil}’s grade`, value, "grade"),
        ),
      ),
    ];
  });
}

const WIDTH = 1000;
const HEIGHT = 44;

/** What stays possible about one pupil. */
interface Row {
  readonly pupil: string;
  readonly min: number;
  readonly max: number;
  readonly count: number;
  /** How many the average alone allows. */
  readonly allowed: number | null;
}

/** The values that stay possible for each pupil, as bars over the scale, and the same as a table. */
function possible(finding: Finding, scale: Scale): HTMLElement {
  const known = finding.exact.map(({ pupil, value }) => ({ pupil, min: value, max: value, count: 1, allowed: null }));
  const open = finding.open.map((each) => ({ ...each, count: each.values, allowed: each.allowedByTotal }));
  const rows: Row[] = [...known, ...open].sort((a, b) => order(a.pupil) - order(b.pupil));
  const which = ({ count, min, max }: Row) =>
    count === 1 ? min.toFixed(scale.decimals) : `${min.toFixed(scale.decimals)} to ${max.toFixed(scale.decimals)}`;
  const lines = rows.map((row) => [row.pupil, String(row.count), which(row), row.allowed === null ? "" : String(row.allowed)]);
  const details = el(
    "details",
    {},
    el("summary", {}, "The same as a table"),
    table(`Grades that stay possible, of ${values(scale)} on the scale`, ["Pupil", "Possible grades", "Which", "Allowed by the average alone"], lines),
  );
  return el("figure", { class: "possible" }, ...rows.map((row) => bar(row, scale)), el("figcaption", {}, title(finding)), details);
}

/** One pupil's possible grades on the scale. */
function bar(row: Row, scale: Scale): HTMLElement {
  const [low, high] = [Number(scale.min), Number(scale.max)];
  const x = (value: number) => ((value - low) / (high - low)) * WIDTH;
  const [start, width] = row.count === 1 ? [x(row.min) - 4, 8] : [x(row.min), x(row.max) - x(row.min)];
  const sentence = amount(row, values(scale), scale);
  const drawn = svg(
    "svg",
    { viewBox: `-4 0 ${WIDTH + 8} ${HEIGHT}`, role: "img", "aria-label": sentence },
    svg("rect", { x: 0, y: 2, width: WIDTH, height: HEIGHT - 4, class: "scale" }),
    svg("rect", { x: start, y: 2, width, height: HEIGHT - 4, class: row.count === 1 ? "value" : "values" }),
  );
  return el("div", {}, el("p", {}, sentence), drawn, el("p", { class: "ends" }, el("span", {}, scale.min), el("span", {}, scale.max)));
}

function amount({ pupil, count, min, allowed }: Row, all: number, scale: Scale): string {
  if (count === 1) return `${pupil}: only ${min.toFixed(scale.decimals)} is possible.`;
  if (count === all) return `${pupil}: all ${all} grades are possible.`;
  const average = count === allowed ? ", as many as the average alone allows" : "";
  return `${pupil}: ${count} of ${all} grades are possible${average}.`;
}

function title(finding: Finding): string {
  const who = listed(finding.colluders);
  if (finding.open.length === 0) return `No other grade fits what ${who} saw.`;
  return `For each possible grade a class was made that looks the same to ${who}, message by message.`;
}

/** All sums that the colluders could compute. */
function arcs(finding: Finding): HTMLElement {
  const rows = finding.arcs.map(({ ring, honest, entered, left, sum }) => [
    String(ring),
    listed(honest),
    `${entered.from} → ${entered.to}: ${grouped(entered.value)}`,
    `${left.from} → ${left.to}: ${grouped(left.value)}`,
    sum === null ? "unknown: a mask is in it" : grouped(sum),
  ]);
  const caption = "All differences that the colluders can compute, modulo 2^64";
  const made = el("details", {}, el("summary", {}, `All their differences (${rows.length})`));
  made.append(table(caption, ["Ring", "Pupils in between", "Went in", "Came out", "Difference"], rows));
  setShown(made, rows.length > 0);
  return made;
}

function order(pupil: string): number {
  return Number(pupil.replace(/[^0-9]/g, ""));
}
