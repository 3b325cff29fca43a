/** Names and numbers as people read them. */
import { describe, expect, it } from "vitest";
import { beginning, counted, grouped, listed, named, readable } from "../src/names";

describe("names", () => {
  it("pupils and lists read as a sentence does", () => {
    expect(named(4, "Anna")).toBe("P4 (Anna)");
    expect(named(4, "")).toBe("P4");
    expect(listed(["P1", "P2", "P3"])).toBe("P1, P2 and P3");
    expect(listed(["P1"])).toBe("P1");
    expect(counted(1, "message")).toBe("1 message");
    expect(beginning("123456", 4)).toBe("1234…");
  });

  it("long numbers are grouped, grades are not", () => {
    expect(grouped("18446744073709551615")).toBe("18\u2009446\u2009744\u2009073\u2009709\u2009551\u2009615");
    expect(readable("P3 sent 1234567 to P4: 63.5, 1001.")).toBe("P3 sent 1\u2009234\u2009567 to P4: 63.5, 1001.");
    expect(readable("The total is 12345678.")).toBe("The total is 12\u2009345\u2009678.");
  });
});
