// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { isCut, pieces, quoted, shown } from "../src/lib/shown";

describe("text of strangers", () => {
    it("is left alone when there is nothing about it", () => {
        expect(shown("GET /users/{int} – Zoë 日本語 שלום 👍")).toBe("GET /users/{int} – Zoë 日本語 שלום 👍");
    });
    it.each([
        ["\u202e", "\\u{202e}"],
        ["\u2066a\u2069", "\\u{2066}a\\u{2069}"],
        ["a\u200bb", "a\\u{200b}b"],
        ["\u0000\u001b[31m\n", "\\u{0}\\u{1b}[31m\\u{a}"],
        ["\ud800x", "\\u{d800}x"],
        ["\u{e0041}", "\\u{e0041}"],
        ["\u2028", "\\u{2028}"],
        ["\u00a0", "\\u{a0}"],
        ["\u3164", "\\u{3164}"],
        ["\ufeff", "\\u{feff}"],
    ])("shows what can't be seen: %j", (text, want) => {
        expect(shown(text)).toBe(want);
    });
    it("tells apart what was escaped and what was sent like it", () => {
        expect(pieces("\\u{202e}\u202e")).toEqual([
            { text: "\\u{202e}", escaped: false },
            { text: "\\u{202e}", escaped: true },
        ]);
    });
    it("cuts, by letters and without looking at all of it", () => {
        expect(shown("👍".repeat(200), 10)).toBe("👍".repeat(10) + "…");
        expect(isCut("a".repeat(160))).toBe(false);
        const walk = String.prototype[Symbol.iterator];
        let longest = 0;
        String.prototype[Symbol.iterator] = function (this: string) {
            longest = Math.max(longest, this.length);
            return walk.call(this);
        };
        try {
            expect(shown("x".repeat(1_000_000), 5)).toBe("xxxxx…");
        } finally {
            String.prototype[Symbol.iterator] = walk;
        }
        expect(longest).toBeGreaterThan(0);
        expect(longest).toBeLessThan(100);
    });
    it("thins marks that pile up", () => {
        expect([...shown("a" + "\u0301".repeat(100))].length).toBeLessThan(8);
    });
});

describe("words of a command line", () => {
    it.each([
        ["shop", "shop"],
        ["", "''"],
        ["it's", "'it'\\''s'"],
        ["$(rm -rf /)", "'$(rm -rf /)'"],
        ["a;b", "'a;b'"],
        ["-x y", "'-x y'"],
    ])("%j", (word, want) => {
        expect(quoted(word)).toBe(want);
    });
});
