/** The built page holds under the strictest policy: files of its own origin, and nothing inline. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const DIST = new URL("../dist/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, DIST), "utf8");
const pages = ["index.html", "teacher.html"];
const assets = readdirSync(new URL("assets/", DIST)).map((name) => `assets/${name}`);

describe("the built page", () => {
  it("is two pages and their assets, nothing else", () => {
    expect(readdirSync(DIST).sort()).toEqual(["assets", ...pages]);
    for (const name of assets) expect(name).toMatch(/\.(js|css|svg)$/);
  });

  it("has no inline script, style or handler", () => {
    for (const page of pages) {
      const html = read(page);
      for (const [tag = ""] of html.matchAll(/<script\b[^>]*>/g)) expect(tag).toMatch(/ src="\/assets\//);
      expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:|data:/i);
    }
  });

  it("names no other origin, and uses no door for strangers' markup", () => {
    for (const name of [...pages, ...assets]) {
      const text = read(name).replaceAll("http://www.w3.org/2000/svg", "");
      expect(text, name).not.toMatch(/https?:\/\//);
      expect(text, name).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/);
    }
  });
});
