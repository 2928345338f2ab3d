// SPDX-License-Identifier: Apache-2.0
// Times as people in a zone read them, also on the days on which its clocks are changed (vite.config.ts: New York).
import { describe, expect, it } from "vitest";
import { byHour, dayAgo } from "../src/lib/alerts";
import type { Alert } from "../src/lib/api";
import { expiryOf } from "../src/lib/exceptions";
import { count, share, time, zone } from "../src/lib/times";

const HOUR = 3_600_000;
const plain = (ms: number) => time(ms).replaceAll("\u202f", " ");

describe("times", () => {
    it("are of the zone of who looks", () => {
        expect(zone()).toBe("America/New_York");
        expect(plain(Date.UTC(2026, 6, 1, 3, 30))).toBe("Jun 30, 2026, 11:30:00 PM");
        expect(plain(Date.UTC(2026, 0, 1, 3, 30))).toBe("Dec 31, 2025, 10:30:00 PM");
    });
    it("are told apart when clocks go back and show an hour twice", () => {
        const first = Date.UTC(2026, 10, 1, 5, 30);
        expect([plain(first), plain(first + HOUR)]).toEqual(["November 1, 2026 at 1:30:00 AM EDT", "November 1, 2026 at 1:30:00 AM EST"].map((one) => one.replace("November", "Nov").replace(" at", ",")));
        expect([plain(first - HOUR), plain(first + 2 * HOUR)]).toEqual(["Nov 1, 2026, 12:30:00 AM", "Nov 1, 2026, 2:30:00 AM"]);
    });
    it("leave an hour out when clocks go forward, and none is told twice", () => {
        const before = Date.UTC(2026, 2, 8, 6, 59, 59);
        expect([plain(before), plain(before + 1000)]).toEqual(["Mar 8, 2026, 1:59:59 AM", "Mar 8, 2026, 3:00:00 AM"]);
    });
    it("of nothing are a dash", () => {
        expect([0, -1, NaN, Infinity, 1e16].map(time)).toEqual(["–", "–", "–", "–", "–"]);
    });
});

describe("numbers", () => {
    it("are written as the browser's own format writes them", () => {
        const number = new Intl.NumberFormat("en");
        const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
        for (const value of [0, 7, 12, 999, 1000, 1001, 12345, 123456, 1234567, 4294967295, Number.MAX_SAFE_INTEGER, -5, -1234567, 0.5, 1234.25, 10.05]) expect(count(value)).toBe(number.format(value));
        for (let i = 0; i <= 1000; i++) expect(share(i / 1000)).toBe(percent.format(i / 1000));
        for (let i = 0; i < 2000; i++) expect(count(Math.floor(2 ** (i / 40)))).toBe(number.format(Math.floor(2 ** (i / 40))));
    });
});

describe("a day", () => {
    it("of alerts has 24 hours and the one that goes on, whatever clocks do meanwhile", () => {
        for (const now of [Date.UTC(2026, 10, 1, 12, 10), Date.UTC(2026, 2, 8, 12, 10)]) {
            expect(now - dayAgo(now)).toBe(24 * HOUR + 600_000);
            const alerts = Array.from({ length: 25 }, (_, i) => ({ service: "shop", count: 1, last_ms: dayAgo(now) + i * HOUR })) as Alert[];
            expect(byHour(alerts, now).of.get("shop")!.hours).toEqual(new Array<number>(25).fill(1));
        }
    });
    it("of an exception is 24 hours", () => {
        const now = Date.UTC(2026, 9, 31, 12);
        expect(Date.parse(expiryOf(2, now)) - now).toBe(48 * HOUR);
    });
});
