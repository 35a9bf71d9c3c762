/** What a recording says beside the bytes that its player shows. */
export interface CastOutline {
  /** When it began, in milliseconds since 1970. */
  readonly beganAt: number;
  /** Seconds from its beginning to its last event. */
  readonly seconds: number;
  readonly moments: readonly CastMoment[];
  /** Bytes that the terminal showed and nobody recorded. */
  readonly missingBytes: number;
}

/** A moment that the player marks. */
export interface CastMoment {
  readonly seconds: number;
  readonly label: string;
  /** Whether something is missing there. */
  readonly isGap: boolean;
}

const GAP = /^gap: (\d+) bytes/;

/** Reads the outline of an asciicast v3: a header line, then `[interval, code, data]` a line. */
export function outlineOf(cast: string): CastOutline {
  const [header = "{}", ...lines] = cast.split("\n");
  const { timestamp } = JSON.parse(header) as { timestamp?: number };
  const moments: CastMoment[] = [];
  let seconds = 0;
  let missingBytes = 0;
  for (const line of lines) {
    if (!line.startsWith("[")) continue;
    const [interval, code, data] = JSON.parse(line) as [number, string, string];
    seconds += interval;
    if (code === "x") moments.push({ seconds, label: `shell ended (${data})`, isGap: false });
    if (code !== "m") continue;
    const gap = GAP.exec(data);
    missingBytes += Number(gap?.[1] ?? 0);
    moments.push({ seconds, label: wordsOf(data), isGap: gap !== null });
  }
  return { beganAt: (timestamp ?? 0) * 1000, seconds, moments, missingBytes };
}

const WORDS: Readonly<Record<string, string>> = {
  attach: "terminal opened",
  detach: "terminal left",
  resume: "terminal came back",
  freeze: "input held",
  thaw: "input free again",
};

function wordsOf(marker: string): string {
  const gap = GAP.exec(marker);
  return gap === null ? (WORDS[marker] ?? marker) : `${gap[1]} bytes not on record`;
}

/** `1:02:03`, or `2:03` below an hour. */
export function clockOf(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, at) => (at === 0 ? `${part}` : `${part}`.padStart(2, "0"))).join(":");
}
