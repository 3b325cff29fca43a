/** The lesson's text: its pictures are there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const DOCS = new URL("../../../docs/", import.meta.url);
const text = readFileSync(new URL("ring.md", DOCS), "utf8");
const linked = [...text.matchAll(/\]\((ring\/[^)#\s]+)\)/g)].map(([, target]) => target ?? "");

describe("docs/ring.md", () => {
  it("links pictures that exist", () => {
    expect(linked.length).toBeGreaterThan(0);
    expect(linked.filter((target) => !existsSync(fileURLToPath(new URL(target, DOCS))))).toEqual([]);
  });

  it("leaves no picture out", () => {
    const taken = readdirSync(fileURLToPath(new URL("ring/", DOCS))).map((file) => `ring/${file}`);
    expect(taken.filter((file) => !linked.includes(file))).toEqual([]);
  });
});
