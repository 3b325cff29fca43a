/** What a pupil may type, and how it is shown. */
import { describe, expect, it } from "vitest";
import { read, show, showAverage, total, values } from "../src/protocol/scale";
import { word } from "../src/protocol/word";

const GRADES = { min: "0.0", max: "100.0", decimals: 1 };

describe("scale", () => {
  it("a value is read and shown exactly", () => {
    expect(read(GRADES, " 76.3 ")).toEqual({ units: 763n });
    expect(read(GRADES, "76,3")).toEqual({ units: 763n });
    expect(read(GRADES, "+.5")).toEqual({ units: 5n });
    expect(read(GRADES, "76.30")).toEqual({ units: 763n });
    expect(show(GRADES, 763n)).toBe("76.3");
    expect(show(GRADES, -5n)).toBe("-0.5");
    expect(show({ min: "-5", max: "5", decimals: 0 }, -15n)).toBe("-15");
    expect(values(GRADES)).toBe(1001);
    expect(showAverage(GRADES, 72.275)).toBe("72.275");
    expect(showAverage(GRADES, 70.94)).toBe("70.94");
    expect(showAverage(GRADES, 70)).toBe("70.0");
    expect(showAverage({ min: "0", max: "9", decimals: 0 }, 7)).toBe("7");
  });

  it("what is no value of the scale is refused with what would be", () => {
    const problem = (typed: string) => {
      const reading = read(GRADES, typed);
      return "problem" in reading ? reading.problem : "";
    };
    expect(problem("999")).toBe("999 is not between 0.0 and 100.0");
    expect(problem("-0.1")).toBe("-0.1 is not between 0.0 and 100.0");
    expect(problem("76.33")).toBe("76.33 has more than 1 decimal: round it");
    expect(problem("")).toContain("between 0.0 and 100.0");
    for (const typed of ["a lot", "1e1", "1,2,3", "1.2.3", "1,2.3", "1 2", "--1", ".", "-", "0x10", "NaN", "１２"]) {
      expect(problem(typed), typed).toContain("is not a number");
    }
    expect(problem("9".repeat(99))).toContain("9… is not between");
  });

  it("a total that no class can have is none", () => {
    const scale = { min: "-5", max: "5", decimals: 0 };
    expect(total(scale, word(-15n), 3)).toBe(-15n);
    expect(total(scale, 16n, 3)).toBeUndefined();
    expect(total(scale, 1n << 63n, 3)).toBeUndefined();
  });
});
