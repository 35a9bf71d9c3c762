// Builds the page once before its tests: what they open is what is served.
import { fileURLToPath } from "node:url";
import { build } from "vite";

export default async function setup() {
  await build({ root: fileURLToPath(new URL("../..", import.meta.url)), logLevel: "warn" });
}
