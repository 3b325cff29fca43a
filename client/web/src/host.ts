/** Host: requests and the stream of events, which goes on where it was when the network comes back. */
import { BadAnswer, count, decodeEvent, fields, text } from "./decode";
import type { HostEvent } from "./events";

/** The host's answer to a request that it does not accept, in a sentence for people. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly kind: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** The host could not be reached, or did not answer in time. */
export class Offline extends Error {}

/** Whether the host can be heard, still knows this page, and says what this page understands. */
export type Line = "connected" | "interrupted" | "lost" | "broken";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 4_000;
/** The host says that it is alive every 10 s. */
const SILENCE_MS = 25_000;
/** A request that hangs is as good as a network that fails. */
const ANSWER_MS = 10_000;
const LATER = [408, 429];
const LONGEST_LINE = 1 << 20;

/** Joins a class. */
export async function join(code: string, name: string, key: string): Promise<{ pupil: number; token: string }> {
  const answer = fields(await request("/api/join", { code, name, key }));
  return { pupil: count(answer["pupil"]), token: text(answer["token"]) };
}

/** What one pupil or the teacher sends to the host, in order, and hears from it. */
export class Host {
  private queue: Promise<unknown> = Promise.resolve();
  private readonly ending = new AbortController();

  constructor(
    private readonly path: "/api/pupil" | "/api/teacher",
    private readonly token: string,
  ) {}

  /**
   * Sends one thing after the other. When the network fails the same bytes are sent again, which the host
   * takes as the same message; `isNeeded` says whether that still makes sense.
   */
  send(body: Record<string, unknown>, isNeeded: () => boolean = () => true): Promise<unknown> {
    const sending = this.queue.then(() => this.insist(this.path, body, isNeeded));
    this.queue = sending.catch(() => undefined);
    return sending;
  }

  /** A request outside the queue. */
  ask(path: string, body: Record<string, unknown>): Promise<unknown> {
    return request(path, body, this.token, this.ending.signal);
  }

  /** A last word when the page goes away; nothing waits for it. */
  sayGoodbye(): void {
    const headers = { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" };
    const body = JSON.stringify({ type: "leave" });
    void fetch(this.path, { method: "POST", headers, body, keepalive: true }).catch(() => undefined);
  }

  close(): void {
    this.ending.abort();
  }

  /**
   * Hands every event on, once and in order, until the class ends or the host no longer knows the token.
   * Fails with what the page itself did wrong: only a network that fails is tried again.
   */
  async listen(onEvent: (event: HostEvent) => Promise<void> | void, onLine: (line: Line) => void): Promise<void> {
    let after = 0;
    let pause = FIRST_PAUSE_MS;
    while (!this.ending.signal.aborted) {
      try {
        for await (const json of this.stream(after)) {
          onLine("connected");
          pause = FIRST_PAUSE_MS;
          const n = fields(json)["n"];
          if (n === undefined) continue;
          if (count(n) <= after) continue;
          const event = decodeEvent(json);
          if (event !== undefined) await onEvent(event);
          after = count(n);
          if (event?.type === "ended") return;
        }
      } catch (error) {
        if (this.ending.signal.aborted) return;
        if (error instanceof Refused && !isPassing(error)) {
          onLine("lost");
          return;
        }
        if (!isPassing(error)) {
          onLine("broken");
          throw error;
        }
      }
      if (this.ending.signal.aborted) return;
      onLine("interrupted");
      await wait(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  private async *stream(after: number): AsyncGenerator<unknown> {
    const silence = new AbortController();
    let alarm = setTimeout(() => silence.abort(), SILENCE_MS);
    const stop = () => silence.abort();
    this.ending.signal.addEventListener("abort", stop);
    try {
      const headers = { Authorization: `Bearer ${this.token}` };
      const response = await online(fetch(`/api/events?after=${after}`, { headers, signal: silence.signal, cache: "no-store" }));
      if (!response.ok) throw await refusal(response);
      if (response.body === null) return;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await online(reader.read());
        if (done) return;
        clearTimeout(alarm);
        alarm = setTimeout(() => silence.abort(), SILENCE_MS);
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > LONGEST_LINE) throw new BadAnswer("a line of the host does not end");
        for (const line of lines) if (line !== "") yield parse(line);
      }
    } finally {
      clearTimeout(alarm);
      this.ending.signal.removeEventListener("abort", stop);
      silence.abort();
    }
  }

  private async insist(path: string, body: Record<string, unknown>, isNeeded: () => boolean): Promise<unknown> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        return await request(path, body, this.token, this.ending.signal);
      } catch (error) {
        if (!isPassing(error) || this.ending.signal.aborted || !isNeeded()) throw error;
        await wait(pause);
        if (!isNeeded()) throw error;
      }
    }
  }
}

async function request(path: string, body: unknown, token?: string, ending?: AbortSignal): Promise<unknown> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
  const limit = new AbortController();
  const stop = () => limit.abort();
  const alarm = setTimeout(stop, ANSWER_MS);
  ending?.addEventListener("abort", stop);
  if (ending?.aborted === true) stop();
  try {
    const response = await online(fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal: limit.signal }));
    if (!response.ok) throw await refusal(response);
    const answer = await online(response.text());
    return answer === "" ? {} : parse(answer);
  } finally {
    clearTimeout(alarm);
    ending?.removeEventListener("abort", stop);
  }
}

/** What the network does; when it fails, that is the network's fault and not the page's. */
async function online<T>(doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    throw new Offline("The teacher’s computer does not answer. Are you in the same network?", { cause: error });
  }
}

/** Whether the same request may do better later. */
function isPassing(error: unknown): boolean {
  return error instanceof Offline || (error instanceof Refused && (error.status >= 500 || LATER.includes(error.status)));
}

async function refusal(response: Response): Promise<Refused> {
  try {
    const answer = fields(await response.json());
    return new Refused(text(answer["error"]), text(answer["kind"]), response.status);
  } catch {
    return new Refused(`The host answered with ${response.status}.`, "unknown", response.status);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new BadAnswer("the host sent something that is not JSON");
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
