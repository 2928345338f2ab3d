// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import WhatIf from "../src/parts/WhatIf.svelte";
import { alphaOf, exchangesOf, perDay, wouldBlock, type Preview } from "../src/lib/preview";
import { texts } from "../src/texts";

afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
});

const t = texts.whatif;
const preview = (more: Partial<Preview> = {}): Preview => ({
    service: "shop",
    mode: "block",
    alpha: 0.0001,
    now: { mode: "alert", alpha: 0.0001 },
    since_ms: 1,
    alerts: 9,
    suppressed: 0,
    blocked: { requests: 0, clients: 0 },
    would_block: { least: 3, most: 3, clients_least: 2, clients_most: 2 },
    more_clients: false,
    exchanges: { count: 41022, from_ms: 1e12, to_ms: 2e12 },
    budget_per_day: 0.58602,
    clients: 3120,
    unknown: [],
    examples: [],
    ...more,
});

describe("what would have happened", () => {
    it("is said of how many", () => {
        expect(wouldBlock(preview())).toBe("3 of 41,022 requests, 2 of 3,120 clients");
    });
    it("is bounds where it is no number, and no share of what isn't known", () => {
        expect(wouldBlock(preview({ would_block: { least: 1, most: 4, clients_least: 1, clients_most: 2 }, exchanges: null, clients: null, more_clients: true }))).toBe("1 – 4 requests, 1 – 2 or more clients");
        expect(exchangesOf(preview({ exchanges: null }))).toBe(t.exchangesUnknown);
    });
    it.each([
        ["0.0001", 0.0001],
        ["1e-5", 1e-5],
        ["0.2", NaN],
        ["0", NaN],
        ["1e-10", NaN],
        ["-1e-3", NaN],
        ["x", NaN],
        ["", NaN],
    ])("a budget of %j is %d", (text, want) => expect(alphaOf(text)).toBe(want));
    it("has two digits that count", () => expect([0, 0.58602, 12.34].map(perDay)).toEqual(["0", "0.59", "12"]));
    it("asks with what was chosen, says what isn't known, and shows strangers' texts as text", async () => {
        const asks = vi.fn<(path: string) => Promise<Response>>(() =>
            Promise.resolve(Response.json(preview({ unknown: ["wider"], examples: [{ id: "a", client: "<img src=x onerror=alert(1)>", explanation: "\u202e", last_ms: 5 }] }))),
        );
        vi.stubGlobal("fetch", asks);
        const { container } = render(WhatIf, { name: "shop" });
        await fireEvent.input(screen.getByLabelText(t.alpha), { target: { value: "0.001" } });
        await fireEvent.click(screen.getByText(t.ask));
        await screen.findByText("3 of 41,022 requests, 2 of 3,120 clients");
        expect(asks.mock.calls[0]![0]).toMatch(/^\/api\/v1\/services\/shop\/preview\?mode=block&alpha=0.001&since=\d+$/);
        expect(screen.getByText(t.unknown.wider)).toBeTruthy();
        expect(container.querySelector("img")).toBeNull();
        expect(container.textContent).not.toContain("\u202e");
    });
    it("doesn't ask with what is no budget", async () => {
        render(WhatIf, { name: "shop" });
        await fireEvent.input(screen.getByLabelText(t.alpha), { target: { value: "1" } });
        expect((screen.getByText(t.ask) as HTMLButtonElement).disabled).toBe(true);
    });
});
