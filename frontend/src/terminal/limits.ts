/** The numbers both ends of `carrel-terminal.v1` agree on. */

/** The WebSocket subprotocol. */
export const SUBPROTOCOL = "carrel-terminal.v1";
/**
 * A paste is sent in pieces of this size, so that Ctrl-C typed after it need not wait long. The
 * server takes up to 16 KiB in one frame.
 */
export const INPUT_PIECE = 4 * 1024;
/** Typed bytes kept while the server withholds credit; a larger paste is refused as a whole. */
export const MAX_PENDING_INPUT = 1024 * 1024;
/** Acknowledge at the latest after so many parsed bytes… */
export const ACK_EVERY = 32 * 1024;
/** …or so long after data came. */
export const ACK_AFTER_MS = 50;
export const MIN_COLUMNS = 2;
export const MAX_COLUMNS = 500;
export const MAX_ROWS = 300;
/** The first frame type that a receiver skips when it does not know it. */
export const FIRST_IGNORABLE_TYPE = 0xc0;
