import type { Terminal } from "@xterm/xterm";

/**
 * Draws by WebGL where there is one. Without it, and after the browser takes the context away,
 * the DOM renderer draws: as correct, only slower.
 */
export async function accelerate(terminal: Terminal): Promise<void> {
  try {
    const { WebglAddon } = await import("@xterm/addon-webgl");
    const addon = new WebglAddon();
    addon.onContextLoss(() => addon.dispose());
    terminal.loadAddon(addon);
  } catch {
    // No WebGL, or no context left: the DOM renderer stays.
  }
}

/**
 * From now on a `style` attribute set on a span goes through the style's own interface.
 * xterm.js 6.0 gives the DOM renderer's colours as attributes, which the page's policy refuses:
 * text in true colour, or recoloured for contrast, would lose its colour.
 */
export function styleSpansWithinPolicy(): void {
  HTMLSpanElement.prototype.setAttribute = function (name: string, value: string): void {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}
