/** The exam server could not be reached at all: no answer, or one that broke off. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** The exam server answered with a problem document (RFC 9457). */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;
  readonly retryAfterMs: number | null;

  constructor(status: number, code: string, retryAfterMs: number | null) {
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** True where asking again as the same person cannot help. */
  get isDenial(): boolean {
    return this.status === 401 || this.status === 403 || this.status === 404;
  }

  /** True where the fault is the server's or passing, so that asking again may help. */
  get isPassing(): boolean {
    return this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Reads the problem out of a failed answer; a body that is none still yields its status. */
export async function problemOf(answer: Response): Promise<Problem> {
  let code = "unknown";
  try {
    const body: unknown = await answer.json();
    if (typeof body === "object" && body !== null && "code" in body) code = String(body.code);
  } catch {
    // A proxy's HTML page or an empty body: the status alone decides.
  }
  return new Problem(answer.status, code, retryAfter(answer.headers.get("retry-after")));
}

/** Reads the seconds form of Retry-After; the date form is not sent by our processes. */
export function retryAfter(header: string | null): number | null {
  if (header === null || !/^\d{1,5}$/.test(header.trim())) return null;
  return Number(header.trim()) * 1000;
}
