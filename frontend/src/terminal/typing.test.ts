import { beforeEach, describe, expect, it } from "vitest";
import { controlled, touchKeyText, Typing } from "./typing";

let sent: string[];
let released: number;
let typing: Typing;

beforeEach(() => {
  sent = [];
  released = 0;
  typing = new Typing({
    typed: (bytes) => sent.push(new TextDecoder().decode(bytes)),
    controlReleased: () => {
      released += 1;
    },
  });
  typing.lock(false);
});

describe("typing", () => {
  it("goes nowhere while locked, whoever types", () => {
    typing.lock(true);
    typing.text("ls");
    typing.binary("\u001b[M !!");
    typing.press("escape", false);
    expect(sent).toEqual([]);
  });

  it("takes letters but no answers while replayed output is parsed", () => {
    typing.mute();
    typing.mute();
    typing.unmute();
    typing.text("\u001b[?1;2c");
    typing.text("l");
    typing.unmute();
    typing.text("\u001b[?1;2c");
    expect(sent).toEqual(["l", "\u001b[?1;2c"]);
  });

  it.each([
    "\u001b[?1;2c",
    "\u001b[>0;276;0c",
    "\u001b[0n",
    "\u001b[12;40R",
    "\u001b[?12;40R",
    "\u001b[?2004;1$y",
    "\u001b[4;2$y",
    "\u001b[8;24;80t",
    "\u001b[I",
    "\u001bP1$r0m\u001b\\",
    "\u001b]11;rgb:ffff/ffff/ffff\u001b\\",
  ])("mutes the terminal's answer %j while replayed output is parsed", (answer) => {
    typing.mute();
    typing.text(answer);
    expect(sent).toEqual([]);
  });

  it.each([
    ["Escape", "\u001b"],
    ["Alt with a letter", "\u001bb"],
    ["an arrow", "\u001b[A"],
    ["an arrow of a full-screen program", "\u001bOA"],
    ["Ctrl with an arrow", "\u001b[1;5C"],
    ["F5", "\u001b[15~"],
    ["Shift with F3, which reads like a place", "\u001b[1;2R"],
  ])("loses no key while replayed output is parsed: %s", (_name, typed) => {
    typing.mute();
    typing.key(typed);
    typing.text(typed);
    expect(sent).toEqual([typed]);
  });

  it("takes for a key's what follows the key, and nothing after it", () => {
    typing.mute();
    typing.key("\u001b[1;2R");
    typing.text("\u001b[1;2R");
    typing.text("\u001b[1;2R");
    expect(sent).toEqual(["\u001b[1;2R"]);
  });

  it("takes a report of the mouse and the wheel, which no key makes, while muted", () => {
    typing.mute();
    typing.text("\u001b[<0;12;4M");
    typing.text("\u001b[A");
    expect(sent).toEqual(["\u001b[<0;12;4M", "\u001b[A"]);
  });

  it("makes one control character after Ctrl, and says that it is released", () => {
    typing.holdControl(true);
    typing.text("c");
    typing.text("c");
    expect(sent).toEqual(["\u0003", "c"]);
    expect(released).toBe(1);
  });

  it("keeps Ctrl for the person when the terminal answers meanwhile", () => {
    typing.holdControl(true);
    typing.text("\u001b[1;1R");
    typing.text("d");
    expect(sent).toEqual(["\u001b[1;1R", "\u0004"]);
  });

  it("lets Ctrl go without typing when it is pressed again", () => {
    typing.holdControl(true);
    typing.holdControl(false);
    typing.text("c");
    expect(sent).toEqual(["c"]);
  });

  it("never makes a paste a control character", () => {
    typing.holdControl(true);
    typing.pasted("c");
    expect(sent).toEqual(["c"]);
  });

  it("makes arrows with Ctrl jump over words", () => {
    typing.holdControl(true);
    typing.press("left", true);
    typing.press("left", true);
    typing.press("left", false);
    expect(sent).toEqual(["\u001b[1;5D", "\u001bOD", "\u001b[D"]);
  });

  it.each([
    ["a", "\u0001"],
    ["Z", "\u001a"],
    ["[", "\u001b"],
    ["\\", "\u001c"],
    ["_", "\u001f"],
    [" ", "\u0000"],
    ["?", "\u007f"],
    ["1", null],
    ["é", null],
    ["ab", null],
  ])("with Ctrl held, %j is %j", (text, expected) => {
    expect(controlled(text)).toBe(expected);
  });

  it("has every key a touch keyboard lacks", () => {
    expect(touchKeyText("escape", false, true)).toBe("\u001b");
    expect(touchKeyText("tab", true, false)).toBe("\t");
    expect(touchKeyText("up", false, false)).toBe("\u001b[A");
  });
});
