/** The page goes on after a network that fails, and does not take its own mistakes for one. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BadAnswer, decodeEvent } from "../src/decode";
import { Host, join, Offline, type Line } from "../src/host";
import { codeOf } from "../src/pupil/join";

type Answer = (path: string, init: RequestInit) => Promise<Response>;

const answers: Answer[] = [];
const asked: { path: string; body: unknown }[] = [];

const json = (status: number, body: unknown) => async () => new Response(JSON.stringify(body), { status });
const refused = (status: number) => json(status, { error: "Not so fast", kind: "too-fast" });
const events = (...lines: unknown[]): Answer => async () => new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
const dead: Answer = async () => Promise.reject(new TypeError("failed to fetch"));
/** Answers never, and gives up when it is told to. */
const hanging: Answer = (_, { signal }) =>
  new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))));

beforeEach(() => {
  vi.useFakeTimers();
  answers.length = 0;
  asked.length = 0;
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    asked.push({ path, body: init.body });
    const answer = answers.shift();
    if (answer === undefined) throw new Error(`nobody expected ${path}`);
    return answer(path, init);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Lets all pauses pass. */
async function settled<T>(doing: Promise<T>): Promise<T> {
  let isDone = false;
  const end = doing.finally(() => (isDone = true));
  end.catch(() => undefined);
  while (!isDone) await vi.advanceTimersByTimeAsync(1_000);
  return end;
}

describe("a request", () => {
  it("that hangs is given up and sent again with the same bytes", async () => {
    answers.push(hanging, dead, refused(429), json(200, {}));
    const host = new Host("/api/pupil", "token");
    await settled(host.send({ type: "ready" }));
    expect(asked.map(({ body }) => body)).toEqual(Array.from({ length: 4 }, () => '{"type":"ready"}'));
  });

  it("that the host refuses for good is not sent again", async () => {
    answers.push(json(409, { error: "There is no round", kind: "no-round" }));
    await expect(settled(new Host("/api/pupil", "token").send({ type: "ready" }))).rejects.toThrow("no round");
    expect(asked).toHaveLength(1);
  });

  it("to join that hangs is told to the pupil", async () => {
    answers.push(hanging);
    await expect(settled(join("CODE", "", "04"))).rejects.toBeInstanceOf(Offline);
  });
});

describe("the stream of events", () => {
  const listen = (answer: (type: string) => void) => {
    const lines: Line[] = [];
    const host = new Host("/api/pupil", "token");
    const end = settled(host.listen((event) => answer(event.type), (line) => lines.push(line)));
    return { lines, end };
  };

  it("goes on where it was after 408, 429, 503 and a dead network", async () => {
    answers.push(refused(429), refused(408), refused(503), dead, events({ type: "held", run: "ab".repeat(16), count: 1, n: 3 }));
    answers.push(events({ type: "ended", n: 4 }));
    const heard: string[] = [];
    const { lines, end } = listen((type) => heard.push(type));
    await end;
    expect(heard).toEqual(["held", "ended"]);
    expect(asked.at(-1)?.path).toBe("/api/events?after=3");
    expect(lines).not.toContain("lost");
  });

  it("ends when the host does not know the token", async () => {
    answers.push(refused(401));
    const { lines, end } = listen(() => undefined);
    await end;
    expect(lines).toEqual(["lost"]);
  });

  it("does not take a mistake of the page for the network's", async () => {
    answers.push(events({ type: "ended", n: 1 }));
    const { lines, end } = listen(() => {
      throw new TypeError("a mistake");
    });
    await expect(end).rejects.toThrow("a mistake");
    expect(lines.at(-1)).toBe("broken");
    expect(asked).toHaveLength(1);
  });

  it("ends at an event whose shape is wrong", async () => {
    answers.push(events({ type: "outcome", n: 1 }));
    const { lines, end } = listen(() => undefined);
    await expect(end).rejects.toBeInstanceOf(BadAnswer);
    expect(lines.at(-1)).toBe("broken");
  });
});

describe("decoding", () => {
  const run = "ab".repeat(16);
  const deliver = { type: "deliver", run, ring: 0, from: 1, iv: "00".repeat(12), box: "00".repeat(24) };
  const pupil = { pupil: 1, name: "", key: "04".repeat(65), connected: true, ready: false, left_out: false };
  const group = { type: "class", scale: { min: "0", max: "1", decimals: 0 }, pupils: [pupil], you: 1 };

  it("takes runs, keys and boxes of the right length only", () => {
    expect(decodeEvent(deliver)?.type).toBe("deliver");
    expect(decodeEvent(group)?.type).toBe("class");
    for (const wrong of [{ run: "ab" }, { run: "AB".repeat(16) }, { iv: "00".repeat(11) }, { box: `${"00".repeat(24)}0` }, { box: "zz".repeat(24) }]) {
      expect(() => decodeEvent({ ...deliver, ...wrong }), JSON.stringify(wrong)).toThrow(BadAnswer);
    }
    expect(() => decodeEvent({ ...group, pupils: [{ ...pupil, key: "04" }] })).toThrow(BadAnswer);
  });
});

describe("the code of a link", () => {
  it("is taken as it is when it cannot be decoded", () => {
    expect(codeOf("ABCD2345")).toBe("ABCD2345");
    expect(codeOf("AB%20CD")).toBe("AB CD");
    expect(codeOf("%")).toBe("%");
  });
});
