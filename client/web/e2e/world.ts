/** A world for browser tests: a host with its page, a teacher and pupils, and a record of all that they send. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import axe from "axe-core";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page, type Route } from "playwright-core";
import { expect } from "vitest";

export const PHONE = { width: 360, height: 740 };
export const PROJECTOR = { width: 1920, height: 1080 };

const LONGEST_END_MS = 10_000;
const CHROMIUM = process.env["SOTTO_CHROMIUM"] ?? "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What the host says when it listens. */
interface Links {
  readonly teacher: string;
  readonly pupils: string;
  readonly code: string;
}

/** A page and what went wrong on it. */
export interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and warnings of the console, exceptions, and violations of the content security policy. */
  readonly complaints: string[];
  /** Bodies of requests, and of answers that end. */
  readonly bodies: string[];
  /** Addresses of requests. */
  readonly requests: string[];
}

export class World {
  readonly visitors: Visitor[] = [];

  private constructor(
    private readonly host: ChildProcess,
    private readonly browser: Browser,
    private readonly folder: string,
    readonly links: Links,
  ) {}

  static async start(options: readonly string[] = []): Promise<World> {
    const program = process.env["SOTTO_BIN"];
    if (program === undefined || !existsSync(program)) throw new Error("SOTTO_BIN has to be the path of the sotto program");
    const folder = mkdtempSync(join(tmpdir(), "sotto-page-"));
    const listen = ["--listen", "127.0.0.1:0", "--address", "localhost", "--traffic", join(folder, "traffic")];
    const args = ["ring", "host", "--web", "--json", "--silence", "120", ...listen, ...options];
    const host = spawn(resolve(program), args, { stdio: ["ignore", "pipe", "inherit"], cwd: folder });
    try {
      const links = await firstLine(host);
      const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
      return new World(host, browser, folder, links);
    } catch (error) {
      await ended(host);
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends the browser and the host. */
  async end(): Promise<void> {
    try {
      await this.browser.close();
    } finally {
      await ended(this.host);
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  /** No page had an error, broke the policy, or spoke to another origin. */
  expectClean(): void {
    const { origin } = new URL(this.links.pupils);
    for (const { complaints, requests } of this.visitors) {
      expect(complaints).toEqual([]);
      expect(requests.filter((address) => new URL(address).origin !== origin)).toEqual([]);
    }
  }

  /** All that the host received and sent, as the host wrote it down. */
  traffic(): string {
    return readFileSync(join(this.folder, "traffic"), "utf8");
  }

  async visit(address: string, viewport: { width: number; height: number }, more: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await this.browser.newContext({ viewport, ignoreHTTPSErrors: true, ...more });
    context.setDefaultTimeout(40_000);
    const page = await context.newPage();
    const visitor: Visitor = { page, context, complaints: [], bodies: [], requests: [] };
    this.visitors.push(visitor);
    await record(visitor);
    await servePageUnderTest(context);
    await page.goto(address);
    return visitor;
  }

  async teacher(more: BrowserContextOptions = {}): Promise<Visitor> {
    return this.visit(this.links.teacher, PROJECTOR, { reducedMotion: "reduce", ...more });
  }

  /** A pupil who has joined; with a grade, one that is ready. */
  async pupil(name: string, grade?: string, more: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await this.visit(this.links.pupils, PHONE, more);
    return joinAs(visitor, name, grade);
  }

  /** Several pupils, who join in this order. */
  async pupils(group: readonly (readonly [string, string])[]): Promise<Visitor[]> {
    const visitors = await Promise.all(group.map(() => this.visit(this.links.pupils, PHONE)));
    for (const [place, visitor] of visitors.entries()) await joinAs(visitor, ...(group[place] ?? ["", ""]));
    return visitors;
  }
}

async function joinAs(visitor: Visitor, name: string, grade?: string): Promise<Visitor> {
  const { page } = visitor;
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join the class" }).click();
  await page.getByLabel("Type your grade").waitFor();
  if (grade !== undefined) await typeGrade(page, grade);
  return visitor;
}

export async function typeGrade(page: Page, grade: string): Promise<void> {
  await page.getByLabel("Type your grade").fill(grade);
  await page.getByRole("button", { name: "I am ready" }).click();
  await page.getByRole("button", { name: "Change" }).waitFor();
}

/** The teacher chooses a protocol and presses a button. */
export async function press(page: Page, protocol: string, name: string): Promise<void> {
  await page.getByRole("radio", { name: protocol }).check();
  await page.getByRole("button", { name, exact: true }).click();
}

/** Waits until a page shows an average, and returns it. */
export async function average(page: Page): Promise<string> {
  const shown = page.locator(".average strong");
  await shown.waitFor();
  return (await shown.textContent()) ?? "";
}

/** What axe finds serious or critical, on a phone and on a projector, in light and in dark. */
export async function expectAccessible(page: Page, screen: string): Promise<void> {
  const before = page.viewportSize() ?? PHONE;
  const source = axe.source;
  for (const size of [PHONE, PROJECTOR]) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(source);
      const found = await page.evaluate(async () => {
        const { axe: checker } = window as unknown as { axe: typeof axe };
        const { violations } = await checker.run(document, { resultTypes: ["violations"] });
        return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map(({ html }) => html) }));
      });
      const bad = found.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(bad, `${screen}, ${size.width} px, ${colorScheme}`).toEqual([]);
    }
    await expectFits(page, screen);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(before);
}

/** Nothing has to be scrolled sideways, not on the narrowest phone and not with letters of twice the size. */
async function expectFits(page: Page, screen: string): Promise<void> {
  const size = page.viewportSize() ?? PHONE;
  const overhang = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(await overhang(), `${screen}, ${size.width} px`).toBeLessThanOrEqual(0);
  if (size.width > PHONE.width) return;
  const small = await page.evaluate(() => {
    const targets = [...document.querySelectorAll<HTMLElement>("button, select, summary, .choice, .box, input:not([type=radio], [type=checkbox])")];
    const shown = targets.filter((target) => target.checkVisibility()).map((target) => ({ target, box: target.getBoundingClientRect() }));
    return shown.filter(({ box }) => box.width < 43.9 || box.height < 43.9).map(({ target }) => target.outerHTML);
  });
  expect(small, `${screen}: targets of at least 44 px`).toEqual([]);
  await page.setViewportSize({ ...size, width: 320 });
  expect(await overhang(), `${screen}, 320 px`).toBeLessThanOrEqual(0);
  await page.setViewportSize(size);
  await page.evaluate(() => document.documentElement.style.setProperty("font-size", "200%"));
  expect(await overhang(), `${screen}, letters of twice the size`).toBeLessThanOrEqual(0);
  await page.evaluate(() => document.documentElement.style.removeProperty("font-size"));
}

/** Ends the host and waits until it is gone: by force, when it does not end by itself. */
async function ended(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  const exit = once(host, "exit");
  host.kill("SIGINT");
  const force = setTimeout(() => host.kill("SIGKILL"), LONGEST_END_MS);
  await exit;
  clearTimeout(force);
}

async function firstLine(host: ChildProcess): Promise<Links> {
  const { stdout } = host;
  if (stdout === null) throw new Error("the host has no output");
  for await (const line of createInterface({ input: stdout })) return JSON.parse(line) as Links;
  throw new Error("the host ended before it listened");
}

async function record({ page, complaints, bodies, requests }: Visitor): Promise<void> {
  page.on("console", (message) => {
    const isOffline = message.text().includes("net::ERR_INTERNET_DISCONNECTED");
    if (["error", "warning"].includes(message.type()) && !isOffline) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    requests.push(request.url());
    bodies.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ""}`);
  });
  page.on("response", (response) => {
    if (response.url().includes("/api/events") || !response.url().includes("/api/")) return;
    response.text().then((text) => bodies.push(text), () => undefined);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** SOTTO_PAGE=FOLDER tries a page that the program was not built with, under the host's own headers. */
async function servePageUnderTest(context: BrowserContext): Promise<void> {
  const folder = process.env["SOTTO_PAGE"];
  if (folder === undefined) return;
  const serve = async (route: Route) => {
    const { origin, pathname } = new URL(route.request().url());
    const file = { "/": "index.html", "/teacher": "teacher.html" }[pathname] ?? pathname;
    const headers = (await route.fetch({ url: `${origin}/` })).headers();
    delete headers["content-length"];
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    await route.fulfill({ status: 200, headers: { ...headers, "content-type": type }, body: readFileSync(join(folder, file)) });
  };
  await context.route(({ pathname }) => pathname === "/" || pathname === "/teacher" || pathname.startsWith("/assets/"), serve);
}
