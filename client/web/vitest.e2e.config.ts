/** Browser tests: the real host, the real pages, Debian's Chromium; one file after the other. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { dir: "e2e", fileParallelism: false, testTimeout: 300_000, hookTimeout: 60_000 },
});
