// The imitation's terminal: a canned screen and an echo, with the protocol's framing.

const PROMPT = "\x1b[32mcandidate@exam\x1b[0m:\x1b[34m~/tasks\x1b[0m$ ";
const LIST = [
  `${PROMPT}ls -l`,
  "total 12",
  "-rw-r--r-- 1 candidate candidate  412 Nov 23 09:04 01-users.md",
  "-rw-r--r-- 1 candidate candidate  655 Nov 23 09:04 02-services.md",
  "-rw-r--r-- 1 candidate candidate  298 Nov 23 09:04 03-logs.md",
  `${PROMPT}grep -c ERROR /var/log/app.log`,
  "17",
  `${PROMPT}tree -L 1 ~/tasks`,
  "/home/candidate/tasks",
  "├── 01-users.md",
  "├── 02-services.md",
  "└── 03-logs.md",
  "",
  "0 directories, 3 files",
  PROMPT,
].join("\r\n");
const COLOURS = `\r\n${[30, 31, 32, 33, 34, 35, 36, 37, 90, 91, 92, 93, 94, 95, 96, 97]
  .map((code) => `\x1b[${code}m colour ${code} \x1b[0m \x1b[1;${code}mbold\x1b[0m`)
  .join("\r\n")}\r\n${PROMPT}`;

const json = (type, body) => Buffer.concat([Buffer.of(type), Buffer.from(JSON.stringify(body))]);

function withOffset(type, offset, ...rest) {
  const message = Buffer.alloc(9);
  message[0] = type;
  message.writeBigUInt64BE(BigInt(offset), 1);
  return Buffer.concat([message, ...rest]);
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function frame(opcode, payload) {
  if (payload.length < 126)
    return Buffer.concat([Buffer.of(0x80 | opcode, payload.length), payload]);
  const head = Buffer.of(0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff);
  return Buffer.concat([head, payload]);
}

/** Reads complete masked frames off the front of `buffer`. */
function* messages(buffer) {
  let rest = buffer;
  while (rest.length >= 6) {
    const short = rest[1] & 0x7f;
    const head = short === 126 ? 4 : 2;
    const length = short === 126 ? rest.readUInt16BE(2) : short;
    if (rest.length < head + 4 + length) break;
    const mask = rest.subarray(head, head + 4);
    const payload = Buffer.from(rest.subarray(head + 4, head + 4 + length));
    for (let at = 0; at < payload.length; at += 1) payload[at] ^= mask[at % 4];
    yield { opcode: rest[0] & 0xf, payload, rest: rest.subarray(head + 4 + length) };
    rest = rest.subarray(head + 4 + length);
  }
}

/** Speaks the server's half of the protocol on an upgraded socket. */
export function serveTerminal(socket, scenario) {
  let buffer = Buffer.alloc(0);
  const send = (payload) => socket.write(frame(2, payload));
  const print = (text) => {
    const bytes = Buffer.from(text);
    send(Buffer.concat([Buffer.of(0x82), bytes]));
  };
  const close = (code) => {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    socket.end(frame(8, payload));
  };
  const welcome = () => {
    send(
      json(0x81, {
        epoch: 1,
        out_off: 0,
        in_off: 0,
        window: 131072,
        input_window: 65536,
        max_frame: 16393,
        ping_ms: 5000,
        remaining_ms: null,
        mode: "interactive",
        replay_from: 0,
      }),
    );
    print(LIST);
    if (scenario === "full") print(COLOURS);
    if (scenario === "lost") setTimeout(() => socket.destroy(), 600);
    if (scenario === "elsewhere") setTimeout(() => close(4009), 600);
    if (scenario === "exited") {
      setTimeout(() => send(json(0x87, { code: 1, signal: null, reason: "shell_exited" })), 500);
      setTimeout(() => close(1000), 600);
    }
  };
  const take = (message) => {
    const body = message.subarray(1);
    if (message[0] === 0x01) {
      if (scenario === "lost" && JSON.parse(body.toString()).resume !== null)
        return socket.destroy();
      welcome();
    }
    if (message[0] === 0x02) {
      const end = Number(body.readBigUInt64BE(0)) + body.length - 8;
      send(withOffset(0x84, end, u32(65536)));
      print(body.subarray(8).toString().replaceAll("\r", `\r\n${PROMPT}`));
    }
    if (message[0] === 0x05) send(Buffer.concat([Buffer.of(0x85), body, u32(210)]));
  };
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (const { opcode, payload, rest } of messages(buffer)) {
      buffer = rest;
      if (opcode === 8) socket.end(frame(8, payload));
      else if (opcode === 2) take(payload);
    }
  });
  socket.on("error", () => socket.destroy());
}
