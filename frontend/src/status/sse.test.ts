import { describe, expect, it } from "vitest";
import { EventStreamParser, type ServerEvent } from "./sse";

const STREAM =
  ': hello\nevent: status\nid: 7\ndata: {"a":1}\n\ndata: x\r\ndata: y\r\n\r\n:\rid: 8\rdata:z\r\r';
const EVENTS: ServerEvent[] = [
  { name: "status", data: '{"a":1}', id: "7" },
  { name: "message", data: "x\ny", id: "7" },
  { name: "message", data: "z", id: "8" },
];

describe("the event stream", () => {
  it("is read whole, with each kind of line ending", () => {
    expect(new EventStreamParser().push(STREAM)).toEqual(EVENTS);
  });

  it("is read the same when cut at any two places", () => {
    for (let first = 0; first <= STREAM.length; first += 1) {
      for (let second = first; second <= STREAM.length; second += 1) {
        const parser = new EventStreamParser();
        const pieces = [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)];
        expect(pieces.flatMap((piece) => parser.push(piece))).toEqual(EVENTS);
      }
    }
  });

  it("dispatches nothing for an event without data, but remembers its id", () => {
    const parser = new EventStreamParser();
    expect(parser.push("id: 3\n\n")).toEqual([]);
    expect(parser.push("data: a\n\n")).toEqual([{ name: "message", data: "a", id: "3" }]);
  });

  it("drops an event that was not completed", () => {
    expect(new EventStreamParser().push("data: half")).toEqual([]);
  });
});
