/** More than this a browser's tab does not hold well, as text, as events and as a list at once. */
export const MOST_MIB = 32;
const MOST_BYTES = MOST_MIB * 1024 * 1024;

/** A recording that is too long to be replayed in a page. */
export class TooLong extends Error {
  override readonly name = "TooLong";
}

/** Reads an answer's text, and stops reading at once where it is more than `most` bytes. */
export async function boundedText(answer: Response, most = MOST_BYTES): Promise<string> {
  if (Number(answer.headers.get("content-length") ?? 0) > most) throw await dropped(answer.body);
  if (answer.body === null) return "";
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let length = 0;
  const reader = answer.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    length += piece.value.length;
    if (length > most) throw await dropped(reader);
    parts.push(decoder.decode(piece.value, { stream: true }));
  }
  return parts.join("") + decoder.decode();
}

async function dropped(source: { cancel(): Promise<void> } | null): Promise<TooLong> {
  await source?.cancel().catch(() => undefined);
  return new TooLong(`more than ${MOST_MIB} MiB`);
}
