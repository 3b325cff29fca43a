/** The way into a class: its code, and a name for those who like to give one. */
import { button, byId, el, setShown, setText } from "../dom";
import { Offline } from "../host";

const LONGEST_NAME = 24;

/** Says why this page cannot be used here. */
export function showObstacle(title: string, text: string): void {
  byId("main").replaceChildren(el("section", { class: "card", role: "alert" }, el("h2", {}, title), el("p", {}, text)));
}

/** The code in a link's fragment; one that somebody typed need not be one that can be decoded. */
export function codeOf(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

/** The form to join by. */
export class JoinScreen {
  private readonly code = el("input", {
    id: "code",
    name: "code",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    class: "code",
    "aria-describedby": "join-error",
  });
  private readonly name = el("input", {
    id: "name",
    name: "name",
    autocomplete: "nickname",
    maxlength: LONGEST_NAME,
    "aria-describedby": "name-hint",
  });
  private readonly error = el("p", { id: "join-error", class: "problem", role: "alert", hidden: true });
  private readonly go = el("button", { type: "submit", class: "primary" }, "Join the class");

  constructor(
    code: string,
    private readonly enter: (code: string, name: string) => Promise<void>,
  ) {
    this.code.value = code;
  }

  show(): void {
    const form = el(
      "form",
      { class: "card", "aria-labelledby": "join-title", novalidate: true },
      el("h2", { id: "join-title" }, "Join your class"),
      el("p", {}, "Your class computes the average of its grades, and nobody sees yours."),
      el("label", { for: "code" }, "Class code"),
      this.code,
      el("label", { for: "name" }, "Your name ", el("span", { class: "quiet" }, "(optional)")),
      this.name,
      el("p", { id: "name-hint", class: "quiet" }, "Your class sees it. An invented name is fine."),
      this.error,
      this.go,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    byId("main").replaceChildren(form);
  }

  private async submit(): Promise<void> {
    const code = this.code.value.trim();
    if (code === "") {
      this.complain("Type the code that your teacher shows.");
      return;
    }
    this.go.disabled = true;
    setShown(this.error, false);
    try {
      await this.enter(code, this.name.value);
    } catch (error) {
      this.complain(error instanceof Offline ? `${error.message} Try again.` : error instanceof Error ? error.message : String(error));
    } finally {
      this.go.disabled = false;
    }
  }

  private complain(problem: string): void {
    setText(this.error, problem);
    setShown(this.error, true);
    this.code.focus();
  }
}

/** A button that starts the page anew. */
export function rejoinButton(): HTMLButtonElement {
  return button("Join again", () => location.reload(), { class: "primary" });
}
