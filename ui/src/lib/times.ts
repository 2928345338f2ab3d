// SPDX-License-Identifier: Apache-2.0
// Times in the zone of who looks, and numbers. The first of the browser's formats that is made loads the tables of all languages, which
// took most of the time in which the page's module is evaluated: numbers, which are English like the texts, do without, and times wait
// until one is shown.

const dateFormat = (timeStyle: "medium" | "long") => {
    let made: Intl.DateTimeFormat | undefined;
    return () => (made ??= new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle }));
};
const stamp = dateFormat("medium");
const zoned = dateFormat("long");
/** Clocks go back by an hour, in some places by half of one. */
const BACK_MS = [3_600_000, 1_800_000];

/** Whether clocks show the same once more, as on the day on which they go back: then which of both it was has to be said. */
function isTwice(ms: number, words: string): boolean {
    const offset = new Date(ms).getTimezoneOffset();
    return BACK_MS.some((by) => [ms - by, ms + by].some((other) => new Date(other).getTimezoneOffset() !== offset && stamp().format(new Date(other)) === words));
}

export function time(ms: number): string {
    if (!(Number.isFinite(ms) && ms > 0 && ms < 8.64e15)) return "–";
    const words = stamp().format(new Date(ms));
    return isTwice(ms, words) ? zoned().format(new Date(ms)) : words;
}

/** At most so many digits behind the point, and none that say nothing; thousands apart. */
function inEnglish(value: number, digits: number): string {
    const [whole = "", part] = value.toFixed(digits).split(".");
    const rest = part?.replace(/0+$/, "");
    return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
}

export function count(value: number): string {
    return inEnglish(value, 3);
}

export function share(value: number): string {
    return `${inEnglish(value * 100, 1)}%`;
}

export function zone(): string {
    return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
