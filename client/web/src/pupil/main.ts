/** The pupil's page: joins a class, types a grade, and plays. */
import { byId } from "../dom";
import { Host, join } from "../host";
import { canSeal, Keys } from "../seal";
import { codeOf, JoinScreen, showObstacle } from "./join";
import { Screen } from "./screen";
import { Session } from "./session";

const CODE = "sotto-ring-code";

function start(): void {
  if (!canSeal()) {
    showObstacle(
      "This browser cannot seal messages",
      "It has no WebCrypto, or the page was not opened with https. Open the link in a recent Firefox, Chrome, Edge or Safari.",
    );
    return;
  }
  const form = new JoinScreen(takeCode(), enter);
  form.show();
}

async function enter(code: string, name: string): Promise<void> {
  const keys = await Keys.generate();
  const { pupil, token } = await join(code, name, keys.publicKey);
  sessionStorage.setItem(CODE, code);
  const host = new Host("/api/pupil", token);
  const screen = new Screen();
  const session: Session = new Session(keys, pupil, host, () => screen.update(session));
  screen.open(session);
  window.addEventListener("beforeunload", (event) => {
    if (session.isPlaying) event.preventDefault();
  });
  window.addEventListener("pagehide", (event) => {
    if (!event.persisted) host.sayGoodbye();
  });
  keepAwake();
  document.addEventListener("visibilitychange", keepAwake);
  // What fails here is a mistake of this page: the screen says so, and the browser's console has it.
  void host.listen((event) => session.handle(event), (line) => screen.setLine(line));
}

/** A phone that falls asleep in a round stops it; where the browser allows, the screen stays on. */
function keepAwake(): void {
  if (document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
  navigator.wakeLock.request("screen").catch(() => undefined);
}

/** The code of the link's fragment, which is taken out of the address; a reload finds it again. */
function takeCode(): string {
  const fragment = codeOf(location.hash.slice(1));
  if (fragment !== "") history.replaceState(null, "", location.pathname);
  return fragment !== "" ? fragment : (sessionStorage.getItem(CODE) ?? "");
}

window.addEventListener("hashchange", () => location.reload());
byId("main");
start();
