/** An address of data in this browser, until it is released. */
export function addressOf(data: Blob): { address: string; release: () => void } {
  const address = URL.createObjectURL(data);
  return { address, release: () => URL.revokeObjectURL(address) };
}

/** How long the browser may take to begin with a file: it does after this turn. */
const TAKEN_MS = 10_000;

/** Gives a file to whoever uses the browser. */
export function download(name: string, content: string | Blob, type = "application/json"): void {
  const { address, release } = addressOf(typeof content === "string" ? new Blob([content], { type }) : content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(release, TAKEN_MS);
}

/** A name that every file system takes. */
export function fileName(name: string): string {
  const plain = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._ -]+/gu, " ")
    .replace(/\s+/g, " ")
    .replace(/^[ .]+|[ .]+$/g, "")
    .slice(0, 80)
    .trim();
  return plain === "" ? "workflow" : plain;
}
