import { defineConfig } from "vitest/config";

/**
 * The api serves `index.html` at `/exam/{session_id}`, `replay.html` at `/replay/{session_id}`, the
 * frame within it at `/replay/player` and everything else below `/assets/`.
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
    rolldownOptions: { input: ["index.html", "replay.html", "player.html"] },
  },
  // `e2e/exam.spec.mjs` needs the real processes and is run by the integration tests.
  test: {
    include: ["src/**/*.test.ts", "e2e/page/*.test.mjs"],
    globalSetup: "e2e/page/build.mjs",
    // Each wait has its own bound: this one is for many of them on a busy machine.
    testTimeout: 240_000,
    // A browser that ends takes its time there too.
    hookTimeout: 120_000,
  },
});
