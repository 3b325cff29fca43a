/** How to join: the code, the link and its QR code, large enough for the back of the room. */
import { button, el, setText } from "../dom";

/** The panel of the lobby and the dialog show the same. */
export class JoinPanel {
  readonly node: HTMLElement;
  private readonly code = el("p", { class: "big-code" });
  private readonly link = el("p", { class: "link" });
  private readonly image = el("img", { src: "/qr.svg", alt: "", width: 320, height: 320, class: "qr" });

  constructor(title: string, level: "h2" | "h3") {
    this.node = el(
      "div",
      { class: "join" },
      this.image,
      el("div", {}, el(level, {}, title), el("p", {}, "Scan the picture, or open this link:"), this.link, el("p", {}, "Class code:"), this.code),
    );
  }

  update(code: string, link: string): void {
    setText(this.code, code);
    if (this.link.textContent !== link) this.link.replaceChildren(...breakable(link));
    const alt = `QR code of the link ${link}`;
    if (this.image.alt !== alt) this.image.alt = alt;
  }
}

/** A link that may go on in the next line after a slash. */
function breakable(link: string): Node[] {
  return link.split(/(?<=[^/]\/)/).flatMap((part) => [document.createTextNode(part), el("wbr")]);
}

/** The same later on, when the picture of the ring has its place. */
export class JoinDialog {
  readonly panel = new JoinPanel("Join the class", "h2");
  private readonly dialog: HTMLDialogElement;

  constructor() {
    const close = button("Close", () => this.dialog.close());
    this.dialog = el("dialog", { "aria-label": "How to join" }, this.panel.node, el("div", { class: "actions" }, close));
    document.body.append(this.dialog);
  }

  open(): void {
    if (!this.dialog.open) this.dialog.showModal();
  }
}
