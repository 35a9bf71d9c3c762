import { defineConfig } from "vitest/config";

/**
 * The api serves `index.html` at `/exam/{session_id}` and everything else below `/assets/`.
 * Nothing may be inlined: the page runs under a policy that allows neither inline scripts nor
 * `data:` fonts.
 */
export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    sourcemap: false,
  },
  // The browser test in e2e needs the real processes and is run by the integration tests.
  test: { include: ["src/**/*.test.ts"], testTimeout: 60_000 },
});
