const ESC = 0x1b;
const BEL = 0x07;
/** Longer than anything a key or an answer of the grid makes; what has no end by then is none. */
const LONGEST_SEQUENCE = 64;
/** A UTF-8 character has at most three bytes after its first. */
const MOST_CONTINUATIONS = 3;

/**
 * The last place at or before `at` where typed bytes may be parted: neither within a UTF-8
 * character nor within an escape sequence, which a program that reads them apart would take for
 * a lone Escape and letters. At most 64 bytes before `at`, so that sending always goes on.
 */
export function safeCut(bytes: Uint8Array, at: number): number {
  if (at >= bytes.length) return bytes.length;
  const cut = beforeCharacter(bytes, at);
  // From the front: the end of an answer holds an ESC of its own.
  for (let begin = Math.max(0, cut - LONGEST_SEQUENCE); begin < cut; begin += 1) {
    if (bytes[begin] === ESC && sequenceEnd(bytes, begin) > cut) return begin;
  }
  return cut;
}

/**
 * How many characters typed bytes hold. Arrows, the marks around a paste and what the grid answers
 * are escape sequences and none; Return and Ctrl-C are.
 */
export function charactersIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length;) {
    const end = bytes[at] === ESC ? sequenceEnd(bytes, at) : at + 1;
    if (end === at + 1 && !isContinuation(bytes[at])) count += 1;
    at = end;
  }
  return count;
}

function beforeCharacter(bytes: Uint8Array, at: number): number {
  let cut = at;
  while (cut > 0 && at - cut < MOST_CONTINUATIONS && isContinuation(bytes[cut])) cut -= 1;
  // Raw bytes of an old mouse report are no UTF-8 and may be parted anywhere.
  return isContinuation(bytes[cut]) ? at : cut;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** The offset after the escape sequence at `begin`; `begin + 1` where it has no end. */
function sequenceEnd(bytes: Uint8Array, begin: number): number {
  switch (String.fromCharCode(bytes[begin + 1] ?? 0)) {
    case "[":
      return controlEnd(bytes, begin);
    case "O":
      return begin + 3;
    case "]":
    case "P":
    case "_":
    case "^":
      return stringEnd(bytes, begin);
    default:
      return characterEnd(bytes, begin + 1);
  }
}

/** `ESC [`, parameters, a final byte; an old mouse report has three bytes more. */
function controlEnd(bytes: Uint8Array, begin: number): number {
  if (bytes[begin + 2] === 0x4d) return begin + 6;
  return endWhere(bytes, begin, (byte) => byte >= 0x40 && byte <= 0x7e);
}

/** An answer such as `ESC ] 11 ; rgb:… ESC \`. */
function stringEnd(bytes: Uint8Array, begin: number): number {
  const ends = (byte: number, at: number): boolean =>
    byte === BEL || (byte === 0x5c && bytes[at - 1] === ESC);
  return endWhere(bytes, begin, ends);
}

function endWhere(
  bytes: Uint8Array,
  begin: number,
  ends: (byte: number, at: number) => boolean,
): number {
  const last = Math.min(bytes.length, begin + LONGEST_SEQUENCE);
  for (let at = begin + 2; at < last; at += 1) if (ends(bytes[at] ?? 0, at)) return at + 1;
  return begin + 1;
}

/** Alt with a letter: the letter may take several bytes. */
function characterEnd(bytes: Uint8Array, first: number): number {
  let end = first + 1;
  while (end - first <= MOST_CONTINUATIONS && isContinuation(bytes[end])) end += 1;
  return end;
}
