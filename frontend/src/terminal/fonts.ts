/** The grid's fonts: letters, then box drawing and symbols. */
export const GRID_FONT = '"Carrel Mono", "Carrel Symbols", ui-monospace, monospace';

/** A slow font must not keep a candidate from their shell. */
const FONT_WAIT_MS = 3_000;

/** Resolves when the grid's letters are there: its cells are measured by them once. */
export async function fontsReady(size: number): Promise<void> {
  const loading = Promise.all([
    document.fonts.load(`${size}px "Carrel Mono"`),
    document.fonts.load(`bold ${size}px "Carrel Mono"`),
  ]);
  const enough = new Promise((resolve) => window.setTimeout(resolve, FONT_WAIT_MS));
  await Promise.race([loading.catch(() => undefined), enough]);
}
