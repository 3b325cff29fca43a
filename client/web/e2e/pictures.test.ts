/** The pictures of docs/ring.md, taken anew with UPDATE_DOCS=1. */
import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { average, PHONE, press, PROJECTOR, World } from "./world";

const FOLDER = fileURLToPath(new URL("../../../docs/ring/", import.meta.url));
/** Pictures of the projector are made smaller: a lesson is read on a page, not on a wall. */
const SCALE = 2 / 3;
const MOST_BYTES = 150_000;
const CLASS = [["Anna", "56.3"], ["Ben", "45.4"], ["Cem", "67.1"], ["Dana", "63.5"], ["Emil", "72.4"]] as const;

async function take(page: Page, name: string): Promise<void> {
  const path = `${FOLDER}${name}.png`;
  await page.screenshot({ path });
  expect(statSync(path).size, path).toBeLessThan(MOST_BYTES);
}

describe.runIf(process.env["UPDATE_DOCS"] === "1")("the pictures of the lesson", () => {
  it("are taken from a class that plays", async () => {
    mkdirSync(FOLDER, { recursive: true });
    const world = await World.start();
    try {
      const { page } = await world.teacher({ reducedMotion: "no-preference", deviceScaleFactor: SCALE });
      const phones: Page[] = [];
      const way = await world.visit(world.links.pupils, PHONE);
      await take(way.page, "pupil-join");
      await way.page.close();
      for (const [name, grade] of CLASS.slice(0, 4)) phones.push((await world.pupil(name, grade)).page);
      const wide = await world.pupil(...CLASS[4], { viewport: PROJECTOR, deviceScaleFactor: SCALE });
      phones.push(wide.page);
      const phone = (place: number) => phones[place] ?? page;
      await page.getByText("5 pupils ready to play.").waitFor();
      await take(page, "teacher-lobby");
      await press(page, "One ring", "Play");
      await page.getByText("3 of 5: P3 (Cem)").waitFor();
      await page.waitForTimeout(250);
      await take(page, "teacher-ring");
      await average(page);
      await average(phone(1));
      await take(phone(1), "pupil-average");
      const collude = async () => {
        const panel = page.getByRole("region", { name: "Collude" });
        for (const name of ["Cem", "Emil"]) await panel.getByRole("checkbox", { name }).check();
        await panel.getByRole("button", { name: "Collude" }).click();
        await phone(2).getByText("Will you play an attacker?").waitFor();
      };
      await collude();
      await take(phone(2), "pupil-question");
      for (const place of [2, 4]) await phone(place).getByRole("button", { name: "Show it", exact: true }).click();
      const finding = page.locator("section.finding");
      await finding.waitFor();
      await page.waitForTimeout(300);
      await take(page, "teacher-attack");
      await finding.getByRole("button", { name: "Repair" }).click();
      await finding.waitFor({ state: "hidden" });
      await average(page);
      await average(wide.page);
      await take(wide.page, "pupil-wide");
      await collude();
      for (const place of [2, 4]) await phone(place).getByRole("button", { name: "Show it", exact: true }).click();
      await finding.waitFor();
      await page.waitForTimeout(300);
      await take(page, "teacher-repair");
      await page.setViewportSize(PHONE);
      await page.evaluate(() => window.scrollTo({ top: 0 }));
      await take(page, "teacher-phone");
    } finally {
      await world.end();
    }
  });
});
