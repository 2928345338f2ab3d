// SPDX-License-Identifier: Apache-2.0
// Times in the zone of who looks.

const stamp = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const number = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export function time(ms: number): string {
    return Number.isFinite(ms) && ms > 0 && ms < 8.64e15 ? stamp.format(new Date(ms)) : "–";
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
