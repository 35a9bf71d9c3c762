import { el } from "../view/dom";

/** What the page has its player do. */
export type PlayerOrder =
  | {
      readonly order: "play";
      readonly cast: string;
      readonly markers: [seconds: number, label: string][];
    }
  | { readonly order: "seek"; readonly seconds: number };

/** The player, in a frame whose policy gives it an origin of its own: it gets text and a place. */
export class PlayerFrame {
  readonly root = el("iframe", {
    class: "replay-screen",
    attributes: {
      title: "What the terminal showed",
      sandbox: "allow-scripts",
      allow: "fullscreen",
      src: "/replay/player",
    },
  });

  /** Plays `cast` as soon as the frame is there. */
  constructor(cast: string, markers: [seconds: number, label: string][]) {
    const ready = ({ source }: MessageEvent): void => {
      if (source === null || source !== this.root.contentWindow) return;
      window.removeEventListener("message", ready);
      this.#order({ order: "play", cast, markers });
    };
    window.addEventListener("message", ready);
  }

  /** Goes to a moment. */
  seek(seconds: number): void {
    this.#order({ order: "seek", seconds });
    this.root.scrollIntoView({ block: "nearest" });
  }

  /** To any origin, since the frame's has no name; the page's policy lets it go nowhere else. */
  #order(order: PlayerOrder): void {
    this.root.contentWindow?.postMessage(order, "*");
  }
}
