/** One dispatched server-sent event. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string | null;
}

/**
 * Parses a server-sent event stream as the HTML standard says, from text cut at any place.
 * Used instead of `EventSource`, which hides the heartbeat comments (so a dead stream cannot be
 * told from a quiet one) and cannot resume by `Last-Event-ID` once it has given up.
 */
export class EventStreamParser {
  #rest = "";
  #name = "";
  #data: string[] = [];
  #id: string | null = null;
  #afterReturn = false;

  /** Takes more text and returns the events it completed. */
  push(text: string): ServerEvent[] {
    if (text === "") return [];
    const input = this.#afterReturn && text.startsWith("\n") ? text.slice(1) : text;
    // The newline of a CR LF may come with the next piece; the CR has ended its line already.
    this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + input).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    return lines.map((line) => this.#line(line)).filter((event) => event !== null);
  }

  #line(line: string): ServerEvent | null {
    if (line === "") return this.#dispatch();
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    if (field === "data") this.#data.push(value);
    if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): ServerEvent | null {
    const event = { name: this.#name || "message", data: this.#data.join("\n"), id: this.#id };
    const empty = this.#data.length === 0;
    this.#name = "";
    this.#data = [];
    return empty ? null : event;
  }
}
