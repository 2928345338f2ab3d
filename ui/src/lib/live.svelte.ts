// SPDX-License-Identifier: Apache-2.0
// New alerts as they come. A reader that is cut off comes back by itself and misses nothing; one that isn't let in says so, and the page
// goes on by asking.
import type { Alert } from "./api";

export type Live = "connecting" | "live" | "off";
export const live = $state<{ state: Live; gap: boolean }>({ state: "off", gap: false });

/** Returns what ends it. */
export function follow(take: (alert: Alert) => void): () => void {
    if (typeof EventSource === "undefined") return () => {};
    const source = new EventSource("/api/v1/alerts/stream");
    live.state = "connecting";
    source.onopen = () => (live.state = "live");
    source.onerror = () => (live.state = source.readyState === EventSource.CLOSED ? "off" : "connecting");
    const read = (event: MessageEvent<string>) => {
        try {
            const alert = JSON.parse(event.data) as Alert;
            if (typeof alert.id === "string" && typeof alert.service === "string") take(alert);
        } catch {
            live.gap = true; // a line that isn't one: what is shown may lack something
        }
    };
    source.onmessage = read;
    source.addEventListener("gap", () => (live.gap = true));
    return () => {
        source.close();
        live.state = "off";
    };
}
