/** A teacher and five pupils, each in a browser of their own, play a lesson from its start to its end. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { average, expectAccessible, press, typeGrade, World, type Visitor } from "./world";

const CLASS = [["Anna", "56.3"], ["Ben", "45.4"], ["Cem", "67.1"], ["Dana", "63.5"], ["Emil", "72.4"]] as const;
const NAMES = CLASS.map(([name]) => name);
const GRADES = CLASS.map(([, grade]) => grade);
const AVERAGE = "60.94";
const PROTOCOLS = ["One ring", "Repair", "Direct sharing"];

let world: World;
let teacher: Visitor;
let pupils: Visitor[];

async function gather(count = 5): Promise<void> {
  teacher = await world.teacher();
  pupils = await world.pupils(CLASS.slice(0, count));
  await teacher.page.getByText(`${count} pupils ready to play.`).waitFor();
  await teacher.page.getByLabel("Speed").selectOption("fast");
}

function pupil(place: number): Page {
  const visitor = pupils[place];
  if (visitor === undefined) throw new Error("nobody there");
  return visitor.page;
}

/** Two pupils are asked for their views, and answer. */
async function collude(answers: readonly (readonly [number, "Show it" | "Do not show it"])[]): Promise<void> {
  const { page } = teacher;
  const panel = page.getByRole("region", { name: "Collude" });
  for (const box of await panel.getByRole("checkbox").all()) await box.uncheck();
  for (const [place] of answers) await panel.getByRole("checkbox", { name: NAMES[place] ?? "" }).check();
  await panel.getByRole("button", { name: "Collude" }).click();
  for (const [place, answer] of answers) await pupil(place).getByRole("button", { name: answer, exact: true }).click();
}

/** The masked numbers that a pupil's page shows, and its own secret ones. */
async function shownNumbers(page: Page): Promise<string[]> {
  await page.getByRole("button", { name: /^Show (my|the) .*numbers/ }).click();
  const rows = await page.locator(".moves dl > div").evaluateAll((found) =>
    found.map((row) => [row.querySelector("dt")?.textContent ?? "", row.querySelector("dd")?.textContent ?? ""]),
  );
  await page.getByRole("button", { name: /^Hide (my|the) .*numbers/ }).click();
  const isPrivate = ([what]: string[]) => !what?.startsWith("my announcement");
  return rows.filter(isPrivate).map(([, number]) => (number ?? "").replace(/\D/g, "")).filter((digits) => digits.length > 12);
}

/** All ways in which a number might be written down. */
function spellings(decimal: string): string[] {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(decimal));
  const turned = Buffer.from(bytes).reverse();
  const grouped = decimal.replace(/\B(?=(?:[0-9]{3})+$)/g, "\u2009");
  const base64 = [bytes, turned].flatMap((each) => [each.toString("base64").slice(0, 10), each.toString("base64url").slice(0, 10)]);
  const hex = [bytes, turned].flatMap((each) => [each.toString("hex"), each.toString("hex").toUpperCase()]);
  return [decimal, grouped, ...hex, ...base64];
}

beforeEach(async ({ task }) => {
  // Who is offline for two seconds must not be taken for gone, however slow the machine is.
  world = await World.start(task.name.startsWith("two seconds") ? ["--grace", "60"] : []);
});

afterEach(async () => {
  await world.end();
});

describe("a lesson", () => {
  it("all three protocols give the average; one ring falls to two neighbours, the others do not", async () => {
    await gather();
    const { page } = teacher;
    const finding = page.locator("section.finding");
    await press(page, "One ring", "Play");
    expect(await average(page)).toBe(AVERAGE);
    for (const { page: phone } of pupils) {
      expect(await average(phone)).toBe(AVERAGE);
      await phone.getByText("everything else: nothing.").waitFor();
    }
    expect(await page.locator(".messages tbody tr").count()).toBeGreaterThanOrEqual(5);
    await collude([[2, "Show it"], [4, "Show it"]]);
    await finding.getByRole("heading", { name: "What P3 and P5 learned" }).waitFor();
    expect(await finding.locator(".subtraction .grade td").textContent()).toBe("63.5");
    await finding.getByText("P4: only 63.5 is possible.").waitFor();
    expect(await page.locator("svg.ring .known .mark").textContent()).toBe("known: 63.5");
    await expectAccessible(page, "the attack");
    await expectAccessible(pupil(2), "a pupil that has shown its view");

    await finding.getByRole("button", { name: "Repair" }).click();
    await finding.waitFor({ state: "hidden" });
    expect(await average(page)).toBe(AVERAGE);
    await expectAccessible(pupil(0), "a pupil after several rings");
    await collude([[2, "Show it"], [4, "Show it"]]);
    await finding.waitFor();
    expect(await finding.locator(".subtraction").count()).toBe(0);
    await finding.getByText("The same as a table").click();
    const possible = await finding.locator("figure tbody tr").evaluateAll((rows) => rows.map((row) => row.children[1]?.textContent));
    expect(possible).toEqual(["1001"]);
    await expectAccessible(page, "the repair");

    await finding.getByRole("button", { name: "direct sharing" }).click();
    await finding.waitFor({ state: "hidden" });
    expect(await average(page)).toBe(AVERAGE);
    await expectAccessible(pupil(1), "a pupil after direct sharing");
    await collude([[2, "Show it"], [4, "Show it"]]);
    await finding.waitFor();
    expect(await finding.locator(".subtraction").count()).toBe(0);
    await finding.getByText("P4: all 1001 grades are possible.").waitFor();
    world.expectClean();
  });

  it("the host hands on what it cannot read: no masked number, share or mask is in its traffic or in any request", async () => {
    await gather();
    const { page } = teacher;
    const numbers = new Set<string>();
    let messages = 0;
    for (const protocol of PROTOCOLS) {
      await press(page, protocol, "Play");
      await page.getByText(/^Stopped|^The average of/).waitFor();
      for (const { page: phone } of pupils) {
        await phone.getByText("What I know now").waitFor();
        for (const number of await shownNumbers(phone)) numbers.add(number);
      }
      messages += await page.locator(".messages tbody").first().locator("tr").count();
    }
    // 5 partial sums and a mask; 10, two masks and 10 shares; 20 shares and 5 kept ones.
    expect(messages).toBe(5 + 10 + 20);
    expect(numbers.size).toBe(5 + 1 + (10 + 2 + 10) + (20 + 5));
    const written = [world.traffic(), ...world.visitors.flatMap(({ bodies }) => bodies)].join("\n");
    expect(written.split('"sealed"').length).toBeGreaterThan(messages);
    // What was announced is there, so the search finds what is there.
    await pupil(2).getByRole("button", { name: /^Show (my|the) .*numbers/ }).click();
    const announced = pupil(2).locator(".moves dl > div", { hasText: "my announcement" }).locator("dd");
    const digits = ((await announced.textContent()) ?? "").replace(/\D/g, "");
    expect(digits.length).toBeGreaterThan(12);
    expect(spellings(digits).some((spelling) => written.includes(spelling))).toBe(true);
    for (const number of numbers) {
      for (const spelling of spellings(number)) expect(written.includes(spelling), spelling).toBe(false);
    }
    for (const grade of GRADES) expect(written).not.toMatch(new RegExp(`(?<![0-9a-z.])${grade.replace(".", "[.]?")}(?![0-9a-z.])`));
    world.expectClean();
  });

  it("steps let one message pass after the other", async () => {
    await gather(3);
    const { page } = teacher;
    await press(page, "One ring", "Step");
    await page.getByText("0 of 3 messages passed. 1 message waiting for the next step.").waitFor();
    await expectAccessible(page, "a round that waits");
    await expectAccessible(pupil(1), "a pupil in a round");
    const warned = pupil(1).waitForEvent("dialog");
    await pupil(1).close({ runBeforeUnload: true });
    const dialog = await warned;
    expect(dialog.type()).toBe("beforeunload");
    await dialog.dismiss();
    for (const passed of [1, 2]) {
      await page.getByRole("button", { name: "Step", exact: true }).click();
      await page.getByText(`${passed} of 3 messages passed. 1 message waiting for the next step.`).waitFor();
    }
    // A teacher's page that is loaded again goes on where it was.
    await page.reload();
    await page.getByText("2 of 3 messages passed. 1 message waiting for the next step.").waitFor();
    await page.getByRole("button", { name: "Play on" }).click();
    expect(await average(page)).toBe("56.267");
    world.expectClean();
  });

  it("a pupil that closes its tab stops the round with its name, and the class plays again without it", async () => {
    await gather();
    const { page } = teacher;
    await press(page, "Direct sharing", "Step");
    await page.getByText("20 messages waiting for the next step.").waitFor();
    await pupil(3).close({ runBeforeUnload: false });
    const sentence = "P4 (Dana) left before the round was over.";
    await page.locator(".stopped", { hasText: sentence }).waitFor();
    for (const place of [0, 1, 2, 4]) await pupil(place).locator(".stopped", { hasText: sentence }).waitFor();
    await expectAccessible(page, "a stopped round");
    await expectAccessible(pupil(0), "a stopped round on a phone");
    await page.getByRole("button", { name: "Play again without P4 (Dana)" }).click();
    expect(await average(page)).toBe("60.3");
    expect(await average(pupil(4))).toBe("60.3");
    world.expectClean();
  });

  it("a pupil that is left out says so, looks on, and is taken back", async () => {
    await gather(4);
    const { page } = teacher;
    await page.getByRole("button", { name: "Leave out P4 (Dana)" }).click();
    await pupil(3).locator(".status", { hasText: "The teacher plays without you" }).waitFor();
    await press(page, "One ring", "Play");
    expect(await average(page)).toBe("56.267");
    await pupil(3).getByText("You look on in this round.").waitFor();
    expect(await average(pupil(3))).toBe("56.267");
    await expectAccessible(pupil(3), "a pupil that looks on");
    await page.getByRole("button", { name: "Take back P4 (Dana)" }).click();
    await page.getByText("4 pupils ready to play.").waitFor();
    world.expectClean();
    await page.getByRole("button", { name: "Leave out P4 (Dana)" }).click();
    await page.getByRole("button", { name: "Remove P4 (Dana) from the class" }).click();
    await page.getByRole("heading", { name: "The class: 3 pupils" }).waitFor();
    await pupil(3).getByText("The class does not know this page any more.").waitFor();
  });

  it("a view is not shown against its pupil's will", async () => {
    await gather();
    await press(teacher.page, "One ring", "Play");
    await average(teacher.page);
    const panel = teacher.page.getByRole("region", { name: "Collude" });
    await panel.getByRole("checkbox", { name: "Cem" }).check();
    await panel.getByRole("checkbox", { name: "Emil" }).check();
    await panel.getByRole("button", { name: "Collude" }).click();
    await pupil(2).getByText("Will you play an attacker?").waitFor();
    await expectAccessible(pupil(2), "the question");
    await pupil(2).getByRole("button", { name: "Do not show it" }).click();
    await teacher.page.getByText("P3 (Cem) did not want to show its numbers").waitFor();
    await pupil(4).getByRole("button", { name: "Show it", exact: true }).click();
    await pupil(4).getByText("You showed what you saw").waitFor();
    await pupil(2).getByText("You showed nothing of this round.").waitFor();
    expect(await teacher.page.locator("section.finding").isVisible()).toBe(false);
    expect(pupils[2]?.bodies.join()).not.toContain('"type":"view"');
    world.expectClean();
  });

  it("two seconds without a network lose nothing, at the teacher's and at a pupil's", async () => {
    await gather(3);
    const { page, context } = teacher;
    await press(page, "Repair", "Step");
    await page.getByText("1 message waiting").waitFor();
    await pupils[1]?.context.setOffline(true);
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await context.setOffline(true);
    await pupil(1).waitForTimeout(2_000);
    await pupils[1]?.context.setOffline(false);
    await context.setOffline(false);
    // Not by steps: one that nothing waits for would begin another round.
    await page.getByRole("button", { name: "Play on", exact: true }).click();
    expect(await average(page)).toBe("56.267");
    expect(await average(pupil(1))).toBe("56.267");
    expect(await page.locator(".messages tbody").first().locator("tr").count()).toBe(3);
    // A teacher's page that is loaded again shows the same round.
    await page.reload();
    expect(await average(page)).toBe("56.267");
    world.expectClean();
  });

  it("the checks of the class and of a round are the same on every screen, and count the same players", async () => {
    await gather(3);
    const pages = [teacher.page, ...pupils.map(({ page }) => page)];
    const same = async (id: string) => {
      const shown = async () => new Set(await Promise.all(pages.map((page) => page.locator(id).textContent())));
      await expect.poll(async () => [...(await shown())], { timeout: 20_000 }).toEqual([expect.stringMatching(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/)]);
      return (await shown()).values().next().value;
    };
    const ofClass = await same("#check");
    await press(teacher.page, "One ring", "Play");
    await average(teacher.page);
    expect(await same("#round-check")).not.toBe(ofClass);
    await pupil(1).getByText("3 players: P1 (Anna), P2 (Ben) and P3 (Cem).").waitFor();
  });

  it("another total of other players waits for the pupils' word", async () => {
    await gather(4);
    const { page } = teacher;
    await press(page, "One ring", "Play");
    await average(page);
    await page.getByRole("button", { name: "Leave out P4 (Dana)" }).click();
    await pupil(3).locator(".status", { hasText: "The teacher plays without you" }).waitFor();
    await press(page, "One ring", "Play");
    for (const place of [0, 1, 2]) {
      await pupil(place).getByRole("heading", { name: "The players have changed" }).waitFor();
      if (place === 0) await expectAccessible(pupil(0), "the question before another total");
      await pupil(place).getByRole("button", { name: "Play", exact: true }).click();
    }
    await page.locator(".average", { hasText: "56.267" }).waitFor();
    world.expectClean();
  });

  it("a phone hides the masked numbers with the grade", async () => {
    await gather(3);
    await press(teacher.page, "One ring", "Play");
    await average(pupil(1));
    const numbers = pupil(1).locator(".moves dd");
    expect(await numbers.allTextContents()).toEqual(["••••••", "••••••", "••••••"]);
    await pupil(1).getByRole("button", { name: "Show my own numbers" }).click();
    expect((await numbers.allTextContents()).join()).not.toContain("•");
  });

  it("a grade may be changed between two rounds", async () => {
    await gather(3);
    await press(teacher.page, "One ring", "Play");
    expect(await average(teacher.page)).toBe("56.267");
    await pupil(0).getByRole("button", { name: "Change" }).click();
    await teacher.page.getByText("It takes 1 more.").waitFor();
    await typeGrade(pupil(0), "46,3");
    await teacher.page.getByText("3 pupils ready to play.").waitFor();
    await press(teacher.page, "Direct sharing", "Play");
    await teacher.page.locator(".average", { hasText: "52.933" }).waitFor();
    await pupil(1).locator(".average", { hasText: "52.933" }).waitFor();
  });
});
