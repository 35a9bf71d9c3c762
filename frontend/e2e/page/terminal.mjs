// The server's end of a terminal, acted by a test within the browser's own WebSocket.

const frame = (type, ...parts) => Buffer.concat([Buffer.of(type), ...parts]);
const json = (type, body) => frame(type, Buffer.from(JSON.stringify(body)));

function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Frames of the server hold at most this much output. */
const OUTPUT_PIECE = 16 * 1024;

/** One session's terminal over any number of connections of one page. */
export class ActedTerminal {
  printed = 0;
  acknowledged = 0;
  typed = Buffer.alloc(0);
  /** The bytes of each INPUT frame. */
  pieces = [];
  resizes = [];
  pings = 0;
  hellos = [];
  /** Whether connections are taken, and PINGs answered. */
  takes = true;
  answers = true;
  legMicros = 210;
  credit = 65_536;
  /** Whether typed bytes are acknowledged. */
  acknowledges = true;
  /** The newest attach, and whether another page holds it. */
  attach = 0;
  isElsewhere = false;
  /** What a connection waits for before it is open, and before it is told WELCOME. */
  opening = Promise.resolve();
  welcoming = Promise.resolve();
  /** What a replay waits for before its end mark. */
  replaying = Promise.resolve();
  /** Frames that came before WELCOME beside HELLO: a server need not read them. */
  early = 0;
  /** Connections asked for, open or not. */
  asked = 0;
  epoch = 1;
  #isWelcome = false;
  #socket = null;
  #output = Buffer.alloc(0);

  /** Stands in for the server at every terminal address of `page`. */
  async actFor(page) {
    await page.routeWebSocket(/\/terminal$/, async (socket) => {
      this.asked += 1;
      await this.opening;
      if (!this.takes) return socket.close({ code: 1013, reason: "" });
      this.#isWelcome = false;
      this.#socket = socket;
      socket.onMessage((message) => this.#take(Buffer.from(message)));
    });
  }

  /** Prints; the whole output is what a resumed connection continues. */
  print(text) {
    const bytes = Buffer.from(text);
    this.#output = Buffer.concat([this.#output, bytes]);
    for (let at = 0; at < bytes.length; at += OUTPUT_PIECE) {
      this.#socket?.send(frame(0x82, bytes.subarray(at, at + OUTPUT_PIECE)));
    }
    this.printed += bytes.length;
  }

  /** Prints what may be longer than what is kept for a resume. */
  flood(bytes, times) {
    for (let time = 0; time < times; time += 1) {
      this.#socket?.send(frame(0x82, bytes));
      this.printed += bytes.length;
    }
  }

  notice(notice) {
    this.#socket?.send(json(0x86, notice));
  }

  exit(exit) {
    this.#socket?.send(json(0x87, exit));
  }

  /** The next connection finds another shell, of which nothing is known. */
  becomesAnother() {
    this.epoch += 1;
    this.#output = Buffer.alloc(0);
    this.typed = Buffer.alloc(0);
    this.printed = 0;
    this.acknowledged = 0;
  }

  close(code) {
    const socket = this.#socket;
    this.#socket = null;
    return socket?.close({ code, reason: "" });
  }

  /** Everything printed has been interpreted by the grid. */
  get isParsed() {
    return this.acknowledged === this.printed;
  }

  #take(message) {
    const body = message.subarray(1);
    if (message[0] !== 0x01 && !this.#isWelcome) this.early += 1;
    const take = {
      0x01: () => this.#hello(JSON.parse(body.toString())),
      0x02: () => this.#input(Number(body.readBigUInt64BE(0)), body.subarray(8)),
      0x03: () => this.resizes.push([body.readUInt16BE(0), body.readUInt16BE(2)]),
      0x04: () => (this.acknowledged = Number(body.readBigUInt64BE(0))),
      0x05: () => this.#ping(body),
    };
    take[message[0]]?.();
  }

  async #hello(hello) {
    this.hellos.push(hello);
    await this.welcoming;
    if (this.isElsewhere && hello.attach !== null) return this.close(4009);
    this.isElsewhere = false;
    this.attach += 1;
    this.#isWelcome = true;
    const from = hello.resume?.epoch === this.epoch ? hello.resume.out_off : 0;
    this.acknowledged = from;
    const welcome = {
      epoch: this.epoch,
      attach: this.attach,
      out_off: this.printed,
      in_off: this.typed.length,
      window: 131_072,
      input_window: this.credit,
      max_frame: 16_393,
      ping_ms: 5_000,
      remaining_ms: null,
      mode: "interactive",
      replay_from: from,
    };
    this.#socket.send(json(0x81, welcome));
    const missed = this.#output.subarray(from);
    if (missed.length === 0) return;
    const mark = (end) => {
      const range = [u64(from), u64(this.printed)];
      this.#socket.send(frame(0x83, Buffer.of(end), ...range, Buffer.of(0)));
    };
    mark(0);
    this.#socket.send(frame(0x82, missed));
    await this.replaying;
    mark(1);
  }

  #ping(opaque) {
    this.pings += 1;
    if (this.answers) this.#socket?.send(frame(0x85, opaque, u32(this.legMicros)));
  }

  #input(offset, bytes) {
    this.pieces.push(bytes);
    const fresh = bytes.subarray(Math.max(0, this.typed.length - offset));
    this.typed = Buffer.concat([this.typed, fresh]);
    if (!this.acknowledges) return;
    this.#socket?.send(frame(0x84, u64(this.typed.length), u32(this.credit)));
  }
}
