import { describe, expect, it } from "vitest";
import { ParsedOutput, type Schedule, TypedInput } from "./credit";
import { ACK_AFTER_MS, ACK_EVERY, INPUT_PIECE, MAX_PENDING_INPUT } from "./limits";

class Timers {
  #waiting: { action: () => void; ms: number }[] = [];
  readonly schedule: Schedule = (action, ms) => {
    const entry = { action, ms };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((one) => one !== entry);
    };
  };
  get pending(): number[] {
    return this.#waiting.map(({ ms }) => ms);
  }
  fire(): void {
    for (const { action } of this.#waiting.splice(0)) action();
  }
}

describe("acknowledging parsed output", () => {
  function set(): { output: ParsedOutput; sent: number[]; timers: Timers } {
    const sent: number[] = [];
    const timers = new Timers();
    const output = new ParsedOutput((offset) => sent.push(offset), timers.schedule);
    output.begin(100);
    return { output, sent, timers };
  }

  it("waits 50 ms for a little and then acknowledges all of it once", () => {
    const { output, sent, timers } = set();
    output.parsed(110);
    output.parsed(120);
    expect(sent).toEqual([]);
    expect(timers.pending).toEqual([ACK_AFTER_MS]);
    timers.fire();
    expect(sent).toEqual([120]);
  });

  it("acknowledges at once when 32 KiB are parsed", () => {
    const { output, sent, timers } = set();
    output.parsed(100 + ACK_EVERY - 1);
    expect(sent).toEqual([]);
    output.parsed(100 + ACK_EVERY);
    expect(sent).toEqual([100 + ACK_EVERY]);
    expect(timers.pending).toEqual([]);
  });

  it("sends nothing for what an earlier connection left to parse", () => {
    const { output, sent, timers } = set();
    output.parsed(90);
    timers.fire();
    expect(sent).toEqual([]);
  });

  it("sends nothing after the connection has ended", () => {
    const { output, sent, timers } = set();
    output.parsed(110);
    output.end();
    timers.fire();
    expect(sent).toEqual([]);
  });
});

describe("typed input", () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  const unheard = (): void => undefined;

  interface Setting {
    input: TypedInput;
    received: (from: number) => string;
    sends: number[];
    lost: number[];
  }

  function set(): Setting {
    const bytes: number[] = [];
    const sends: number[] = [];
    const lost: number[] = [];
    const send = (offset: number, piece: Uint8Array): void => {
      sends.push(piece.length);
      piece.forEach((byte, at) => {
        bytes[offset + at] = byte;
      });
    };
    const input = new TypedInput(send, (characters) => lost.push(characters));
    const received = (from: number): string =>
      new TextDecoder().decode(Uint8Array.from(bytes.slice(from)));
    return { input, received, sends, lost };
  }

  it("is sent within credit, and the rest when credit comes", () => {
    const { input, received } = set();
    input.begin(0, 4);
    input.type(text("abcdef"));
    expect(received(0)).toBe("abcd");
    input.acknowledged(4, 1);
    expect(received(0)).toBe("abcde");
    input.acknowledged(5, 10);
    expect(received(0)).toBe("abcdef");
  });

  it("begins at the server's offset on a new page", () => {
    const { input, received } = set();
    input.begin(1000, 64);
    input.type(text("ls"));
    expect(received(1000)).toBe("ls");
    expect(input.end).toBe(1002);
  });

  it("is sent again from where the server says, exactly once", () => {
    const { input } = set();
    const log: [number, string][] = [];
    const resender = new TypedInput(
      (offset, piece) => log.push([offset, new TextDecoder().decode(piece)]),
      unheard,
    );
    expect(input.end).toBe(0);
    resender.begin(0, 64);
    resender.type(text("hello "));
    resender.type(text("world"));
    resender.pause();
    log.length = 0;
    resender.begin(8, 64);
    expect(log).toEqual([[8, "rld"]]);
  });

  it("keeps what was typed before a break and sends it after", () => {
    const { input, received } = set();
    input.begin(0, 2);
    input.type(text("abc"));
    input.pause();
    input.begin(2, 64);
    expect(received(0)).toBe("abc");
  });

  it.each([50, 3])("is dropped when another writer was there, who got to %i", (offset) => {
    const { input, sends, lost } = set();
    input.begin(0, 2);
    input.type(text("abc"));
    input.pause();
    sends.length = 0;
    input.begin(offset, 64);
    expect(sends).toEqual([]);
    expect(input.end).toBe(offset);
    expect(lost).toEqual([3]);
  });

  it("that is dropped is told by how much of it may not have arrived", () => {
    const { input, lost } = set();
    input.begin(0, 64);
    input.type(text("arrived"));
    input.acknowledged(7, 64);
    input.forget();
    expect(lost).toEqual([]);
    input.type(text("pässwörd\u001b[A\r"));
    input.pause();
    input.forget();
    input.forget();
    expect(lost).toEqual([9]);
  });

  it("goes out in pieces, so that an interrupt need not wait behind a paste", () => {
    const { input, sends } = set();
    input.begin(0, 10 * INPUT_PIECE);
    input.type(new Uint8Array(2 * INPUT_PIECE + 1));
    expect(sends).toEqual([INPUT_PIECE, INPUT_PIECE, 1]);
  });

  it("is parted by credit and pieces only between characters and escape sequences", () => {
    const units = ["é", "🎓", "a", "\u001b[200~", "\u001b[1;5D", "€"];
    const pasted = Array.from({ length: 4_000 }, (_, at) => units[at % units.length]).join("");
    const sent: string[] = [];
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let end = 0;
    const input = new TypedInput((_offset, piece) => {
      sent.push(strict.decode(piece));
      end += piece.length;
    }, unheard);
    input.begin(0, 3);
    expect(input.type(text(pasted))).toBe(true);
    for (let credit = 1; sent.join("").length < pasted.length; credit += 1) {
      input.acknowledged(end, 4 + (credit % 97));
    }
    expect(sent.join("")).toBe(pasted);
    const shown = sent.map((piece) => piece.replaceAll("\u001b", "^"));
    const broken = shown.filter((piece) => /^(?:\[|200|;|~)|\^(?:\[[\d;]*)?$/.test(piece));
    expect(broken).toEqual([]);
    expect(Math.max(...sent.map((piece) => text(piece).length))).toBeLessThanOrEqual(INPUT_PIECE);
  });

  it("refuses as a whole what would not fit, rather than a part of it", () => {
    const { input, sends } = set();
    input.begin(0, 0);
    expect(input.type(new Uint8Array(MAX_PENDING_INPUT))).toBe(true);
    expect(input.type(text("x"))).toBe(false);
    expect(input.end).toBe(MAX_PENDING_INPUT);
    expect(sends).toEqual([]);
  });

  it("reaches the shell exactly once over any sequence of breaks", () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    let shell = "";
    const input = new TypedInput((offset, piece) => {
      // The server skips what it has and may lose the rest of a message at a break.
      const fresh = new TextDecoder().decode(piece).slice(shell.length - offset);
      if (offset <= shell.length) shell += fresh.slice(0, random(fresh.length + 1));
    }, unheard);
    let typed = "";
    input.begin(0, 8);
    for (let round = 0; round < 2000; round += 1) {
      const piece = String(round);
      if (input.type(text(piece))) typed += piece;
      if (random(3) === 0) {
        input.pause();
        input.begin(shell.length, 1 + random(16));
      } else input.acknowledged(shell.length, random(16));
    }
    for (let round = 0; round < 5000 && shell.length < typed.length; round += 1) {
      input.pause();
      input.begin(shell.length, 64);
    }
    expect(shell).toBe(typed);
  });
});
