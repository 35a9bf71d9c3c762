import { describe, expect, it } from "vitest";
import { boundedText, TooLong } from "./bounded";

const answer = (pieces: Uint8Array<ArrayBuffer>[], headers = {}): [Response, () => number] => {
  let read = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        const piece = pieces[read];
        read += 1;
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  return [new Response(body, { headers }), () => read];
};
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe("a recording on its way into the page", () => {
  it("is whole up to the bound, whatever it is cut into", async () => {
    const text = "é🎓€";
    const whole = bytes(text);
    const pieces = Array.from(whole, (byte) => Uint8Array.of(byte));
    expect(await boundedText(answer(pieces)[0], whole.length)).toBe(text);
  });

  it("is not read beyond the bound", async () => {
    const [long, read] = answer([bytes("abcd"), bytes("ef"), bytes("gh"), bytes("ij")]);
    await expect(boundedText(long, 5)).rejects.toBeInstanceOf(TooLong);
    expect(read()).toBe(2);
  });

  it("is not read at all where it says that it is too long", async () => {
    const [long, read] = answer([bytes("abcd")], { "content-length": "6" });
    await expect(boundedText(long, 5)).rejects.toBeInstanceOf(TooLong);
    expect(read()).toBe(0);
  });
});
