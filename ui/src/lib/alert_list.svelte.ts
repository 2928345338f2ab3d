// SPDX-License-Identifier: Apache-2.0
// A list of all alerts that match, of which only the parts that are looked at are here: guardd's index tells how many there are, and the
// cursors of pages anywhere among them. What comes meanwhile waits until it moves nothing that somebody reads.
import { ApiError, get, type Alert, type Failure, type Schemas } from "./api";
import { isOfPod } from "./pods";

export type AlertIndex = Schemas["AlertIndex"];

/** The height of so many rows is what browsers can lay out. */
export const ROWS_MOST = 300_000;
/** Alerts that are kept here, however many were looked at. */
export const KEPT_MOST = 4000;
const PAGE = 100;
const NEW_MOST = 500;
const NEW_PAGES_MOST = 5;
const AT_ONCE = 2;

export function keyOf(alert: Alert): string {
    return `${alert.seq ?? ""} ${alert.id} ${alert.last_ms}`;
}

function listOf(page: Schemas["Alerts"]): Alert[] {
    if (!Array.isArray(page.alerts)) throw new ApiError("broken", 200, "");
    return page.alerts;
}

function checked(index: AlertIndex): AlertIndex {
    const good = Number.isInteger(index.lines) && index.step >= 1 && Array.isArray(index.cursors) && Array.isArray(index.bins);
    if (!good) throw new ApiError("broken", 200, "");
    return index;
}

export class AlertList {
    /** Newer than what the index knows, and shown. */
    fresh = $state.raw<Alert[]>([]);
    /** Newer than those, and not shown yet. */
    waiting = $state.raw<Alert[]>([]);
    index = $state.raw<AlertIndex | null>(null);
    state = $state<"loading" | "there">("loading");
    failure = $state<Failure | null>(null);
    /** Grows when a part came or went. */
    version = $state(0);
    /** So many came that the list has to be asked for anew. */
    outdated = $state(false);

    // What is drawn follows `version`: each of them by itself would be followed for nothing.
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    private parts = new Map<number, Alert[]>();
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    private coming = new Set<number>();
    private wanted: number[] = [];
    private first: Alert[] = [];
    private firstHasMore = false;
    private turn = 0;
    private catching = false;
    private again = false;

    constructor(readonly filters: string) {}

    get lines(): number {
        return this.index?.lines ?? this.first.length;
    }

    get rows(): number {
        return Math.min(ROWS_MOST, this.fresh.length + this.lines);
    }

    /** How many rows there are is known. */
    get known(): boolean {
        return this.index !== null || !this.firstHasMore;
    }

    get cut(): boolean {
        return this.fresh.length + this.lines > ROWS_MOST;
    }

    get step(): number {
        return this.index?.step ?? PAGE;
    }

    /** The alert of a row; undefined while it isn't here. */
    at(row: number): Alert | undefined {
        void this.version;
        if (row < this.fresh.length) return this.fresh[row];
        const line = row - this.fresh.length;
        if (this.index === null) return this.first[line];
        return this.parts.get(Math.floor(line / this.step))?.[line % this.step];
    }

    /** An exchange's own alert: those of pods that name it have its id, too. */
    find(id: string): Alert | undefined {
        for (const list of [this.fresh, this.waiting, this.first, ...this.parts.values()]) {
            const found = list.find((alert) => alert.id === id && !isOfPod(alert));
            if (found) return found;
        }
        return undefined;
    }

    /** guardd refuses a query with an empty parameter in it. */
    private query(more: Record<string, string>): string {
        const query = new URLSearchParams(this.filters);
        for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
        return query.toString();
    }

    private page(cursor: string): Promise<Schemas["Alerts"]> {
        return get<Schemas["Alerts"]>(`/alerts?${this.query({ limit: String(PAGE), cursor })}`);
    }

    /** The newest page, at once; then the index of it and of all that is older. */
    async load(): Promise<void> {
        const mine = ++this.turn;
        this.failure = null;
        try {
            const page = await this.page("");
            if (mine !== this.turn) return;
            this.first = listOf(page);
            this.firstHasMore = typeof page.next === "string";
            this.parts.clear();
            this.index = null;
            this.fresh = this.waiting = [];
            this.outdated = false;
            this.version++;
            this.state = "there";
            if (this.again) void this.catchUp();
            const index = checked(await get<AlertIndex>(`/alerts/index?${this.query({ cursor: page.newest })}`));
            if (mine !== this.turn) return;
            // Where pages are shorter than a part, the rest of the first one is fetched when it is looked at.
            if (this.first.length === Math.min(index.step, index.lines)) this.parts.set(0, this.first);
            this.index = index;
            this.version++;
            this.fetchNext();
        } catch (error) {
            if (mine === this.turn) this.failed(error);
        }
    }

    private failed(error: unknown): void {
        this.failure = error instanceof ApiError ? error.failure : "broken";
        this.state = "there";
    }

    /** Rows that are in view: what isn't here is fetched, what was wanted before and isn't looked at any more is not. */
    want(from: number, to: number): void {
        if (this.index === null) return;
        const begin = Math.max(0, from - this.fresh.length);
        const end = Math.min(this.lines, to - this.fresh.length);
        this.wanted = [];
        for (let part = Math.floor(begin / this.step); part * this.step < end; part++) {
            const kept = this.parts.get(part);
            if (kept) {
                this.parts.delete(part); // the one that was looked at last stays longest
                this.parts.set(part, kept);
            }
            this.wanted.push(part);
        }
        this.fetchNext();
    }

    private fetchNext(): void {
        for (const part of this.wanted) {
            if (this.coming.size >= AT_ONCE) return;
            if (!this.parts.has(part) && !this.coming.has(part)) void this.fetchPart(part);
        }
    }

    private async fetchPart(part: number): Promise<void> {
        const mine = this.turn;
        const size = Math.min(this.step, this.lines - part * this.step);
        const got: Alert[] = [];
        this.coming.add(part);
        try {
            for (let cursor: string | null = this.index?.cursors[part] ?? null; cursor !== null && got.length < size; ) {
                const page: Schemas["Alerts"] = await this.page(cursor);
                if (mine !== this.turn) return;
                got.push(...listOf(page));
                cursor = page.next;
            }
            this.parts.set(part, got.slice(0, size));
            this.forget();
            this.failure = null;
            this.version++;
        } catch (error) {
            if (mine !== this.turn) return;
            this.wanted = []; // scrolling, or whoever reads it, asks again
            this.failed(error);
        } finally {
            this.coming.delete(part);
            this.fetchNext();
        }
    }

    private forget(): void {
        const most = Math.max(3, Math.floor(KEPT_MOST / this.step));
        for (const part of this.parts.keys()) {
            if (this.parts.size <= most) break;
            if (!this.wanted.includes(part)) this.parts.delete(part);
        }
    }

    /** A part that was asked for and came without the row: it is no longer kept. */
    gone(row: number): boolean {
        void this.version;
        const line = row - this.fresh.length;
        return this.index !== null && line >= 0 && this.parts.has(Math.floor(line / this.step)) && this.at(row) === undefined;
    }

    private newest(): Alert | undefined {
        return this.waiting[0] ?? this.fresh[0] ?? this.first[0];
    }

    /** One that has just come. */
    arrive(alert: Alert): void {
        const newest = this.newest();
        if (newest && (keyOf(newest) === keyOf(alert) || (newest.seq ?? 0) >= (alert.seq ?? Infinity))) return;
        if (this.state === "loading") {
            this.again = true; // the page that is on its way may not have it
            return;
        }
        this.waiting = [alert, ...this.waiting];
        if (this.waiting.length + this.fresh.length > NEW_MOST) this.outdated = true;
        if (this.outdated) this.waiting = this.waiting.slice(0, NEW_MOST);
    }

    /** Shows what waits. */
    reveal(): void {
        if (this.outdated) void this.load();
        else if (this.waiting.length > 0) {
            this.fresh = [...this.waiting, ...this.fresh];
            this.waiting = [];
        }
    }

    /** What came while nobody listened. */
    async catchUp(): Promise<void> {
        const newest = this.newest();
        const mine = this.turn;
        this.again = this.state === "loading";
        if (this.again || this.catching) return;
        this.catching = true;
        try {
            const missed: Alert[] = [];
            let cursor = "";
            for (let i = 0; i < NEW_PAGES_MOST; i++) {
                const page = await this.page(cursor);
                if (mine !== this.turn) return;
                const list = listOf(page);
                const known = newest ? list.findIndex((alert) => keyOf(alert) === keyOf(newest)) : -1;
                missed.push(...(known < 0 ? list : list.slice(0, known)));
                if (known >= 0 || page.next === null) {
                    const here = this.waiting.map(keyOf); // some of them may have come meanwhile
                    const lacking = missed.filter((alert) => !here.includes(keyOf(alert)));
                    this.waiting = [...this.waiting, ...lacking].sort((a, b) => (b.seq ?? b.last_ms) - (a.seq ?? a.last_ms));
                    this.outdated ||= this.waiting.length + this.fresh.length > NEW_MOST;
                    this.failure = null;
                    return;
                }
                cursor = page.next;
            }
            this.outdated = true;
        } catch (error) {
            if (mine === this.turn) this.failed(error);
        } finally {
            this.catching = false;
        }
    }
}

/** The list that was looked at last: whoever comes back to it finds it as it was. */
let last: AlertList | null = null;

export function listFor(filters: string, back: boolean): { list: AlertList; kept: boolean } {
    if (back && last?.filters === filters && last.state === "there" && last.failure === null) return { list: last, kept: true };
    last = new AlertList(filters);
    return { list: last, kept: false };
}

export function knownAlert(id: string): Alert | undefined {
    return last?.find(id);
}

/** Nobody sees what was loaded for somebody else. */
export function forgetList(): void {
    last = null;
}

/** All that match over time, the oldest first: seconds, and how many. */
export function overTime(index: AlertIndex, fresh: Alert[]): { times: number[]; values: number[] } {
    const values = [...index.bins].reverse();
    while (values[0] === 0) values.shift();
    const newest = fresh.reduce((most, alert) => Math.max(most, alert.last_ms), index.until_ms);
    const more = Math.min(1000, Math.ceil((newest - index.until_ms) / index.bin_ms));
    const all = [...values, ...new Array<number>(more).fill(0)];
    for (const alert of fresh) {
        const bin = values.length - 1 + Math.ceil((alert.last_ms - index.until_ms) / index.bin_ms);
        if (all.length > 0) all[Math.min(all.length - 1, Math.max(0, bin))]! += alert.count;
    }
    return { times: all.map((_, i) => (index.until_ms - (values.length - 1 - i) * index.bin_ms) / 1000), values: all };
}
