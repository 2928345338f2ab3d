// SPDX-License-Identifier: Apache-2.0
// Everything is built into files of our own: the policy of the page forbids whatever is inline or comes from elsewhere.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
    base: "/console/",
    plugins: [svelte({ compilerOptions: { css: "external" } })],
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
