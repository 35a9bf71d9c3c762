type Child = Node | string | null;

interface Properties {
  readonly class?: string;
  readonly id?: string;
  readonly hidden?: boolean;
  readonly tabIndex?: number;
  readonly data?: Readonly<Record<string, string>>;
  /** Plain attributes; `style` is refused by the page's policy and so has no place here. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Makes an element. Text is always set as text, never parsed. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties.class !== undefined) element.className = properties.class;
  if (properties.id !== undefined) element.id = properties.id;
  if (properties.hidden !== undefined) element.hidden = properties.hidden;
  if (properties.tabIndex !== undefined) element.tabIndex = properties.tabIndex;
  Object.assign(element.dataset, properties.data ?? {});
  for (const [name, value] of Object.entries(properties.attributes ?? {})) {
    element.setAttribute(name, value);
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Makes a button that runs `action`. */
export function button(kind: string, label: string, action: () => void): HTMLButtonElement {
  const element = el("button", { class: kind, attributes: { type: "button" } }, label);
  element.addEventListener("click", action);
  return element;
}

/** Sets text only when it changed, so that screen readers and layout are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets a data attribute only when it changed. */
export function setData(element: HTMLElement, name: string, value: string): void {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

const SHAPES = {
  done: "M3 8.5l3.5 3.5L13 4.5",
  active: "M6 3.5L10.5 8 6 12.5",
  failed: "M4 4l8 8M12 4l-8 8",
  pending: "M8 8h.01",
  theme: "M8 2a6 6 0 1 0 0 12V2zM8 2a6 6 0 0 1 0 12",
  reader: "M2 6v4h3l4 3V3L5 6H2zM12 5.5a4 4 0 0 1 0 5",
  help: "M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1V9.5M8 12h.01M8 1.5a6.5 6.5 0 1 0 .01 0",
  find: "M7 2.5a4.5 4.5 0 1 0 .01 0M10.3 10.3l3.2 3.2",
  previous: "M3.5 10L8 5.5l4.5 4.5",
  next: "M3.5 6L8 10.5 12.5 6",
  close: "M4 4l8 8M12 4l-8 8",
  end: "M5.5 3.5a6 6 0 1 0 5 0M8 1.5v6",
} as const;

/** A small drawing beside words that already say it; hidden from screen readers. */
export function icon(shape: keyof typeof SHAPES): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[shape]);
  svg.append(path);
  return svg;
}
