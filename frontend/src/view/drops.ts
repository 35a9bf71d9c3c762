/**
 * A file or a link that is let go over the page would replace it: nothing is taken but text by the
 * grid, which sees it first, and by a field. Say whether something was refused with `refused`.
 */
export function refuseDrops(page: Window, refused: () => void): void {
  page.addEventListener("dragover", (event) => {
    if (isTaken(event)) return;
    event.preventDefault();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = "none";
  });
  page.addEventListener("drop", (event) => {
    if (isTaken(event)) return;
    event.preventDefault();
    refused();
  });
}

function isTaken(event: DragEvent): boolean {
  if (event.defaultPrevented) return true;
  const holdsFiles = event.dataTransfer?.types.includes("Files") === true;
  return !holdsFiles && event.target instanceof HTMLInputElement;
}
