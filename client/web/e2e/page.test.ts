/** The pages by themselves: what they refuse, who can use them, and the example class. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { average, expectAccessible, PHONE, press, World } from "./world";

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.end();
});

/** The text of what has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const node = document.activeElement;
    const labels = node instanceof HTMLInputElement || node instanceof HTMLSelectElement ? [...(node.labels ?? [])] : [];
    return labels.map((label) => label.textContent).join(" ") || (node?.textContent ?? "");
  });
}

/** Presses Tab until something with this name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let count = 0; count < 60; count += 1) {
    await page.keyboard.press("Tab");
    if ((await focused(page)).includes(name)) return;
  }
  throw new Error(`Tab does not reach ${name}`);
}

describe("the pupil's page", () => {
  it("999 is refused on the phone, and nothing is sent", async () => {
    const { page, requests } = await world.pupil("Nils");
    const before = requests.length;
    await page.getByLabel("Type your grade").fill("999");
    await page.getByRole("button", { name: "I am ready" }).click();
    await page.getByText("999 is not between 0.0 and 100.0. Nothing was sent.").waitFor();
    await expectAccessible(page, "a refused grade");
    await page.waitForTimeout(300);
    expect(requests.slice(before).filter((address) => address.includes("/api/pupil"))).toEqual([]);
    await page.close();
    world.expectClean();
  });

  it("a wrong code is refused with a sentence, and the code of the link is filled in and gone from the address", async () => {
    const { page, complaints } = await world.visit(world.links.pupils, PHONE);
    expect(await page.getByLabel("Class code").inputValue()).toBe(world.links.code);
    expect(new URL(page.url()).hash).toBe("");
    await expectAccessible(page, "the way in");
    await page.getByLabel("Class code").fill("nonsense");
    await page.getByRole("button", { name: "Join the class" }).click();
    const problem = page.locator("#join-error");
    await problem.waitFor();
    expect(await problem.textContent()).toMatch(/code/);
    await expectAccessible(page, "a wrong code");
    // Chromium itself reports the 403.
    complaints.length = 0;
    await page.close();
  });

  it("a browser that cannot seal says so", async () => {
    const visitor = await world.visit(world.links.pupils, PHONE);
    await visitor.page.addInitScript(() => Object.defineProperty(crypto, "subtle", { value: undefined }));
    await visitor.page.reload();
    await visitor.page.getByText("This browser cannot seal messages").waitFor();
    await expectAccessible(visitor.page, "an old browser");
    await visitor.page.close();
    world.expectClean();
  });

  it("is served under a policy that allows its own files and nothing inline", async () => {
    const { page } = await world.visit(world.links.pupils, PHONE);
    const headers = (await page.reload())?.headers() ?? {};
    const policy = headers["content-security-policy"] ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|data:|https?:|\*/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    await page.close();
    world.expectClean();
  });

  it("a name is text, whatever it looks like", async () => {
    const teacher = await world.teacher();
    const visitor = await world.pupil("<img src=x>");
    await teacher.page.getByText("(<img src=x>)").waitFor();
    expect(await teacher.page.locator('img[src="x"]').count()).toBe(0);
    expect(await visitor.page.locator('img[src="x"]').count()).toBe(0);
    await visitor.page.close();
    await teacher.page.close();
    world.expectClean();
  });
});

describe("the teacher's page", () => {
  it("shows code, link and QR code, and closes them with Escape", async () => {
    const { page } = await world.teacher();
    expect(new URL(page.url()).hash).toBe("");
    await page.getByRole("heading", { name: "Join the class" }).waitFor();
    await page.locator(".big-code", { hasText: world.links.code }).first().waitFor();
    const loaded = await page.locator("img.qr").first().evaluate((image) => (image as HTMLImageElement).naturalWidth);
    expect(loaded).toBeGreaterThan(0);
    await expectAccessible(page, "the lobby");
    await page.getByRole("button", { name: "How to join" }).click();
    await page.getByRole("dialog").waitFor();
    await expectAccessible(page, "how to join");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.close();
    world.expectClean();
  });

  it("without its token it says where to find the link", async () => {
    const { page } = await world.visit(new URL("/teacher", world.links.teacher).href, PHONE);
    await page.getByRole("heading", { name: "The teacher’s link" }).waitFor();
    await expectAccessible(page, "no token");
    await page.close();
  });

  it("the example class is attacked and repaired with open cards", async () => {
    const { page } = await world.teacher();
    await page.getByRole("button", { name: "Example class" }).click();
    await page.getByText("20 pupils play with open cards.").waitFor();
    await expectAccessible(page, "the example class");
    await page.getByLabel("Speed").selectOption("fast");
    await press(page, "One ring", "Step");
    await page.getByText("0 of 20 messages passed. 1 message waiting").waitFor();
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await page.locator(".caption", { hasText: "1 of 20: P1 → P2:" }).waitFor();
    expect(await page.evaluate(() => document.getAnimations().length), "reduced motion").toBe(0);
    await page.getByRole("button", { name: "Play on" }).click();
    expect(await average(page)).toBe("73.31");
    const finding = page.locator("section.finding");
    await page.getByRole("button", { name: "Collude", exact: true }).click();
    expect(await finding.locator(".subtraction .grade td").textContent()).toBe("63.5");
    const numbers = await finding.locator(".subtraction td").allTextContents();
    const [out, into] = numbers.map((text) => BigInt(text.replace(/\D/g, "")));
    expect(BigInt.asUintN(64, (out ?? 0n) - (into ?? 0n))).toBe(635n);
    const table = await page.locator(".messages tbody").first().locator("tr").allTextContents();
    expect(table).toHaveLength(20);
    await expectAccessible(page, "the example's attack");
    await finding.getByRole("button", { name: "Repair" }).click();
    await finding.waitFor({ state: "hidden" });
    expect(await average(page)).toBe("73.31");
    await page.getByRole("button", { name: "Collude", exact: true }).click();
    await finding.waitFor();
    await finding.getByText("P4: all 1001 grades are possible.").waitFor();
    expect(await finding.locator(".subtraction").count()).toBe(0);
    await finding.getByRole("button", { name: "direct sharing" }).click();
    await finding.waitFor({ state: "hidden" });
    expect(await average(page)).toBe("73.31");
    expect(await page.locator(".messages tbody").first().locator("tr").count()).toBe(380);
    await page.close();
    world.expectClean();
  });

  it("numbers travel where motion is welcome, and the state alone is shown where it is not", async () => {
    for (const [reducedMotion, isMoving] of [["no-preference", true], ["reduce", false]] as const) {
      const { page } = await world.teacher({ reducedMotion });
      await page.getByRole("button", { name: "Example class" }).click();
      await page.getByText("20 pupils play with open cards.").waitFor();
      await page.getByLabel("Speed").selectOption("slow");
      await press(page, "One ring", "Step");
      await page.getByText("1 message waiting").waitFor();
      await page.getByRole("button", { name: "Step", exact: true }).click();
      await page.locator("svg.ring .token").waitFor({ state: "attached" });
      expect((await page.evaluate(() => document.getAnimations().length)) > 0).toBe(isMoving);
      await page.close();
    }
    world.expectClean();
  });
});

describe("the keyboard", () => {
  it("plays a round from joining to the average", async () => {
    const own = await World.start();
    try {
      const teacher = await own.teacher();
      const phones: Page[] = [];
      for (const [name, grade] of [["Ada", "10"], ["Bo", "20"], ["Cy", "60"]] as const) {
        const { page } = await own.visit(own.links.pupils, PHONE);
        await tabTo(page, "Your name");
        await page.keyboard.type(name);
        await page.keyboard.press("Enter");
        await page.getByLabel("Type your grade").waitFor();
        await page.keyboard.type(grade);
        await page.keyboard.press("Enter");
        await page.getByRole("button", { name: "Change" }).waitFor();
        phones.push(page);
      }
      const { page } = teacher;
      await page.getByText("3 pupils ready to play.").waitFor();
      await tabTo(page, "One ring");
      await page.keyboard.press("ArrowDown");
      await tabTo(page, "Stop");
      await page.keyboard.press("Shift+Tab");
      expect(await focused(page)).toBe("Step");
      await page.keyboard.press("Enter");
      await page.getByText("waiting for the next step").waitFor();
      expect(await focused(page)).toBe("Step");
      await tabTo(page, "Stop");
      await page.keyboard.press("Enter");
      await page.locator(".stopped").waitFor();
      expect(await focused(page), "a button that does nothing any more").toBe("Stop");
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Enter");
      await page.getByText("waiting for the next step").waitFor();
      await page.keyboard.press("Shift+Tab");
      expect(await focused(page)).toBe("Play on");
      await page.keyboard.press("Space");
      expect(await average(page)).toBe("30.0");
      expect(await focused(page), "a button that does nothing while the round runs").toBe("Play");
      for (const phone of phones) expect(await average(phone)).toBe("30.0");
      await tabTo(page, "P1 (Ada)");
      await page.keyboard.press("Space");
      await tabTo(page, "Collude");
      await page.keyboard.press("Enter");
      const [first] = phones;
      await first?.getByText("Will you play an attacker?").waitFor();
      await first?.keyboard.press("Tab");
      await first?.keyboard.press("Tab");
      await first?.keyboard.press("Enter");
      await first?.getByText("You showed nothing of this round.").waitFor();
      own.expectClean();
    } finally {
      await own.end();
    }
  });
});
