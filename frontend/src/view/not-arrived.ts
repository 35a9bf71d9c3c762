/**
 * Says how much of what was typed may not have arrived; "" where all of it has. Never the text itself:
 * it may be a secret.
 */
export function notArrivedWords(characters: number): string {
  if (characters === 0) return "";
  const which = characters === 1 ? "last character" : `last ${characters} characters`;
  return `The ${which} you typed may not have arrived.`;
}
