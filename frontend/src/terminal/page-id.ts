/**
 * A number that tells this page from every other, as a UUID: two tabs of one login, or one that was
 * reloaded, are pages of their own. It is kept nowhere and opens nothing.
 */
export function drawPageId(): string {
  // `randomUUID` exists only where the page came over TLS or from this machine.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
