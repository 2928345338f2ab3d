// SPDX-License-Identifier: Apache-2.0
import svelte from "eslint-plugin-svelte";
import ts from "typescript-eslint";

export default ts.config(
    { ignores: ["dist", "node_modules", "src/api.d.ts"] },
    ...ts.configs.recommended,
    ...svelte.configs.recommended,
    {
        files: ["**/*.svelte", "**/*.svelte.ts"],
        languageOptions: { parserOptions: { parser: ts.parser } },
    },
    {
        // Nothing is ever put into the page as markup.
        rules: {
            "svelte/no-at-html-tags": "error",
            "svelte/no-navigation-without-resolve": "off", // there is no router of SvelteKit
            "no-eval": "error",
            "no-undef": "off",
        },
    },
);
