// SPDX-License-Identifier: Apache-2.0
// Everything is built into files of our own: the policy of the page forbids whatever is inline or comes from elsewhere.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// Tests are in a zone in which clocks are changed, not in that of the machine: often UTC, in which every time looks right.
if (process.env.VITEST) process.env.TZ = "America/New_York";

/** There is nothing to paint before the script ran: browsers would paint nothing meanwhile, and keep the script waiting for it. */
const paintAfterScript: Plugin = {
    name: "paint-after-script",
    transformIndexHtml: { order: "post", handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"') },
};

export default defineConfig({
    base: "/console/",
    plugins: [svelte({ compilerOptions: { css: "external" } }), paintAfterScript],
    resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
    build: {
        outDir: process.env.CONSOLE_OUT ?? "dist",
        emptyOutDir: true,
        target: "es2022",
        assetsInlineLimit: 0,
        cssCodeSplit: false,
        modulePreload: { polyfill: false },
    },
    test: { environment: "jsdom", include: ["tests/**/*.test.ts"], pool: "threads", isolate: true, setupFiles: ["tests/setup.ts"], testTimeout: 60_000 },
});
