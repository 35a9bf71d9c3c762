import { describe, expect, it } from "vitest";
import { reactionTo } from "./closing";
import { type ClientFrame, decodeFrame, encodeFrame, type ServerFrame } from "./frames";
import golden from "./frames.golden.json";
import * as limits from "./limits";

// The golden file is written by the server's own codec and checked there too: both ends agree
// on every byte, or one of the two builds fails.

type Golden = Readonly<Record<string, unknown>>;

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function clientFrame(frame: Golden): ClientFrame {
  switch (frame["type"]) {
    case "input":
      return {
        type: "input",
        offset: Number(frame["in_off"]),
        bytes: bytesOf(String(frame["bytes"])),
      };
    case "ack":
      return { type: "ack", offset: Number(frame["out_off"]) };
    case "ping":
      return { type: "ping", opaque: BigInt(Number(frame["opaque"])) };
    case "detach":
      return { type: "detach", endShell: frame["shell"] === 1 };
    default:
      return frame as unknown as ClientFrame;
  }
}

function goldenOf(frame: ServerFrame): Golden {
  switch (frame.type) {
    case "welcome":
      return { type: "welcome", ...frame.welcome };
    case "notice":
      return { type: "notice", ...frame.notice };
    case "exit":
      return { type: "exit", ...frame.exit };
    case "output":
      return { type: "output", bytes: hexOf(frame.bytes) };
    case "replay":
      return { ...frame, mark: frame.mark === "end" ? 1 : 0 };
    case "input_ack":
      return { type: "input_ack", in_off: frame.offset, credit: frame.credit };
    case "pong":
      return { type: "pong", opaque: Number(frame.opaque), leg_micros: frame.legMicros };
    case "ignored":
      return { type: "ignored", frame_type: frame.frameType };
  }
}

/** The order of a JSON object's keys means nothing, so HELLO is compared by content. */
function comparable(hex: string): unknown {
  const bytes = bytesOf(hex);
  return bytes[0] === 0x01 ? JSON.parse(new TextDecoder().decode(bytes.subarray(1))) : hex;
}

describe("the golden file", () => {
  const sent = golden.client.filter(({ frame }) => frame.type !== "ignored");
  it.each(sent)("client frame: $name", ({ frame, hex }) => {
    expect(comparable(hexOf(encodeFrame(clientFrame(frame as Golden))))).toEqual(comparable(hex));
  });

  it.each(golden.server)("server frame: $name", ({ frame, hex }) => {
    expect(goldenOf(decodeFrame(bytesOf(hex)))).toEqual(frame);
  });

  it("agrees on the limits", () => {
    expect(limits.SUBPROTOCOL).toBe(golden.subprotocol);
    expect(limits.ACK_EVERY).toBe(golden.limits.ack_every);
    expect(limits.ACK_AFTER_MS).toBe(golden.limits.ack_after_ms);
    expect(limits.MIN_COLUMNS).toBe(golden.limits.min_cols);
    expect(limits.MAX_COLUMNS).toBe(golden.limits.max_cols);
    expect(limits.MAX_ROWS).toBe(golden.limits.max_rows);
    expect(limits.FIRST_IGNORABLE_TYPE).toBe(golden.limits.first_ignorable_type);
    expect(limits.INPUT_PIECE).toBeLessThanOrEqual(golden.limits.max_input);
  });

  /** What this page does where the server advises so. */
  const MEANING: Readonly<Record<string, Golden>> = {
    offer_new_shell: { do: "stop", why: "shell_exited" },
    reconnect_jittered: { do: "spread" },
    stop_and_report: { do: "stop", why: "fault" },
    back_off: { do: "back_off" },
    new_ticket_once: { do: "new_ticket" },
    stop: { do: "stop" },
    offer_takeover: { do: "stop", why: "superseded" },
    log_in: { do: "stop", why: "login_expired" },
    fresh_hello: { do: "fresh" },
    resume_now: { do: "at_once" },
    back_off_five: { do: "back_off", atMost: 5 },
  };
  it.each(golden.close_codes)("close code $number ($name) is reacted to as advised", (code) => {
    expect(reactionTo(code.number)).toMatchObject(MEANING[code.advice] ?? { unknown: code.advice });
  });
});
