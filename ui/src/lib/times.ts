// SPDX-License-Identifier: Apache-2.0
// Times in the zone of who looks.

const stamp = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const number = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
/** Clocks go back by an hour, in some places by half of one. */
const BACK_MS = [3_600_000, 1_800_000];

/** Whether clocks show the same once more, as on the day on which they go back: then which of both it was has to be said. */
function isTwice(ms: number, words: string): boolean {
    const offset = new Date(ms).getTimezoneOffset();
    return BACK_MS.some((by) => [ms - by, ms + by].some((other) => new Date(other).getTimezoneOffset() !== offset && stamp.format(new Date(other)) === words));
}

export function time(ms: number): string {
    if (!(Number.isFinite(ms) && ms > 0 && ms < 8.64e15)) return "–";
    const words = stamp.format(new Date(ms));
    return isTwice(ms, words) ? zoned.format(new Date(ms)) : words;
}

export function count(value: number): string {
    return number.format(value);
}

export function share(value: number): string {
    return percent.format(value);
}

export function zone(): string {
    return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
