import { FIRST_IGNORABLE_TYPE } from "./limits";

/** Where an earlier connection to the same shell got to. Offsets count payload bytes. */
export interface Resume {
  readonly epoch: number;
  readonly out_off: number;
  readonly in_off: number;
}

export interface Hello {
  readonly ticket: string;
  readonly cols: number;
  readonly rows: number;
  readonly resume: Resume | null;
  /** Which page speaks. */
  readonly page: string;
  /** The attach that was held, when the page comes back by itself; null takes the terminal over. */
  readonly attach: number | null;
  readonly caps: readonly string[];
}

export type ClientFrame =
  | ({ readonly type: "hello" } & Hello)
  | { readonly type: "input"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: "resize"; readonly cols: number; readonly rows: number }
  | { readonly type: "ack"; readonly offset: number }
  | { readonly type: "ping"; readonly opaque: bigint }
  | { readonly type: "detach"; readonly endShell: boolean };

export interface Welcome {
  readonly epoch: number;
  /** The number of this attach; an older server tells none. */
  readonly attach?: number;
  readonly out_off: number;
  readonly in_off: number;
  readonly window: number;
  readonly input_window: number;
  readonly max_frame: number;
  readonly ping_ms: number;
  readonly remaining_ms: number | null;
  readonly mode: string;
  readonly replay_from: number;
}

export interface Notice {
  readonly code: string;
  readonly text: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: number | null;
  readonly reason: string;
}

export type ServerFrame =
  | { readonly type: "welcome"; readonly welcome: Welcome }
  | { readonly type: "output"; readonly bytes: Uint8Array }
  | {
      readonly type: "replay";
      readonly mark: "begin" | "end";
      readonly from: number;
      readonly to: number;
      readonly truncated: boolean;
    }
  | { readonly type: "input_ack"; readonly offset: number; readonly credit: number }
  | { readonly type: "pong"; readonly opaque: bigint; readonly legMicros: number }
  | { readonly type: "notice"; readonly notice: Notice }
  | { readonly type: "exit"; readonly exit: Exit }
  | { readonly type: "ignored"; readonly frameType: number };

/** A message that is not a frame of `carrel-terminal.v1`. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Writes one frame as one binary message. Integers are big-endian. */
export function encodeFrame(frame: ClientFrame): Uint8Array<ArrayBuffer> {
  switch (frame.type) {
    case "hello":
      return encodeHello(frame);
    case "input": {
      const message = withOffset(0x02, frame.offset, frame.bytes.length);
      message.set(frame.bytes, 9);
      return message;
    }
    case "resize": {
      const message = new Uint8Array(5);
      message[0] = 0x03;
      const view = new DataView(message.buffer);
      view.setUint16(1, frame.cols);
      view.setUint16(3, frame.rows);
      return message;
    }
    case "ack":
      return withOffset(0x04, frame.offset, 0);
    case "ping": {
      const message = new Uint8Array(9);
      message[0] = 0x05;
      new DataView(message.buffer).setBigUint64(1, frame.opaque);
      return message;
    }
    case "detach":
      return new Uint8Array([0x06, frame.endShell ? 1 : 0]);
  }
}

/** Reads one binary message of the server. Throws {@link FrameError}; never quotes content. */
export function decodeFrame(message: Uint8Array): ServerFrame {
  const type = message[0];
  if (type === undefined) throw new FrameError("the message is empty");
  const body = message.subarray(1);
  switch (type) {
    case 0x81:
      return { type: "welcome", welcome: jsonBody(body, "WELCOME") as Welcome };
    case 0x82:
      return { type: "output", bytes: body };
    case 0x83:
      return decodeReplay(body);
    case 0x84: {
      const [offset, credit] = decodePair(body, "INPUT_ACK");
      return { type: "input_ack", offset: safe(offset), credit };
    }
    case 0x85: {
      const [opaque, legMicros] = decodePair(body, "PONG");
      return { type: "pong", opaque, legMicros };
    }
    case 0x86:
      return { type: "notice", notice: jsonBody(body, "NOTICE") as Notice };
    case 0x87:
      return { type: "exit", exit: jsonBody(body, "EXIT") as Exit };
    default:
      if (type >= FIRST_IGNORABLE_TYPE) return { type: "ignored", frameType: type };
      throw new FrameError(`the frame type 0x${type.toString(16)} is unknown`);
  }
}

function encodeHello(hello: Hello): Uint8Array<ArrayBuffer> {
  const { ticket, cols, rows, resume, page, attach, caps } = hello;
  const body = { ticket, cols, rows, resume, page, attach, caps };
  const json = new TextEncoder().encode(JSON.stringify(body));
  const message = new Uint8Array(1 + json.length);
  message[0] = 0x01;
  message.set(json, 1);
  return message;
}

function withOffset(type: number, offset: number, rest: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(9 + rest);
  message[0] = type;
  new DataView(message.buffer).setBigUint64(1, BigInt(offset));
  return message;
}

function viewOf(body: Uint8Array, length: number, frame: string): DataView {
  if (body.length !== length) throw new FrameError(`a ${frame} body has ${body.length} bytes`);
  return new DataView(body.buffer, body.byteOffset, body.byteLength);
}

function decodePair(body: Uint8Array, frame: string): [bigint, number] {
  const view = viewOf(body, 12, frame);
  return [view.getBigUint64(0), view.getUint32(8)];
}

function decodeReplay(body: Uint8Array): ServerFrame {
  const view = viewOf(body, 18, "REPLAY");
  return {
    type: "replay",
    mark: flag(view.getUint8(0)) ? "end" : "begin",
    from: safe(view.getBigUint64(1)),
    to: safe(view.getBigUint64(9)),
    truncated: flag(view.getUint8(17)),
  };
}

function flag(value: number): boolean {
  if (value > 1) throw new FrameError("a REPLAY flag is out of range");
  return value === 1;
}

/** Offsets fit a double exactly until 8 PiB of terminal output; beyond that is a defect. */
function safe(offset: bigint): number {
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new FrameError("an offset is out of range");
  return Number(offset);
}

function jsonBody(body: Uint8Array, frame: string): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Falls through: the parser's own message may quote what was sent.
  }
  throw new FrameError(`a ${frame} body is not a JSON object`);
}
