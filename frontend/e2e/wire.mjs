// What came over the wire, by its offsets: the proof that no byte was lost and none doubled.
import assert from "node:assert/strict";

const WELCOME = 0x81;
const OUTPUT = 0x82;

/** Listens to every terminal connection that `page` makes once it is loaded. */
export async function wireOf(page) {
  const wire = new Wire(page);
  page.on("websocket", (socket) => wire.listen(socket));
  await page.addInitScript(() => {
    window.carrelSockets = [];
    window.WebSocket = class extends WebSocket {
      constructor(...how) {
        super(...how);
        window.carrelSockets.push(this);
      }
    };
  });
  return wire;
}

class Wire {
  #connections = [];
  #page;

  constructor(page) {
    this.#page = page;
  }

  listen(socket) {
    if (!socket.url().endsWith("/terminal")) return;
    const connection = { epoch: null, at: 0, pieces: [] };
    this.#connections.push(connection);
    socket.on("framereceived", ({ payload }) => take(connection, Buffer.from(payload)));
  }

  /** Ends the connections there are: a browser that is set off line keeps what is open. */
  cut() {
    return this.#page.evaluate(() => window.carrelSockets.forEach((socket) => socket.close()));
  }

  /** Every connection continued where the output stood, and what two carried is the same. */
  assertWhole() {
    const known = Buffer.alloc(16 * 1024 * 1024);
    let end = null;
    for (const { at, pieces, epoch } of this.#connections) {
      if (epoch === null) continue;
      const bytes = Buffer.concat(pieces);
      if (end !== null) {
        assert.ok(at <= end, `a gap: ${at} follows ${end}`);
        const shared = Math.min(end - at, bytes.length);
        const before = known.subarray(at, at + shared);
        assert.ok(before.equals(bytes.subarray(0, shared)), "two connections differ");
      }
      bytes.copy(known, at);
      end = Math.max(end ?? 0, at + bytes.length);
    }
    assert.ok(end !== null, "no terminal connection was seen");
  }
}

function take(connection, frame) {
  const body = frame.subarray(1);
  if (frame[0] === OUTPUT) connection.pieces.push(body);
  if (frame[0] !== WELCOME) return;
  const { epoch, replay_from } = JSON.parse(body.toString());
  Object.assign(connection, { epoch, at: replay_from });
}
