// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { createRawSnippet, tick } from "svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import ActionDialog from "../src/parts/ActionDialog.svelte";
import Loaded from "../src/parts/Loaded.svelte";
import Text from "../src/parts/Text.svelte";
import VirtualList from "../src/parts/VirtualList.svelte";
import { offer, type Action } from "../src/lib/actions.svelte";
import { ApiError } from "../src/lib/api";
import { texts } from "../src/texts";

beforeEach(() => {
    // jsdom has neither dialogs nor sizes.
    HTMLDialogElement.prototype.showModal = function () {
        this.open = true;
    };
    HTMLDialogElement.prototype.close = function () {
        this.open = false;
        this.dispatchEvent(new Event("close"));
    };
    vi.stubGlobal(
        "ResizeObserver",
        class {
            observe() {}
            unobserve() {}
            disconnect() {}
        },
    );
});
afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
});

describe("Text", () => {
    it("makes no markup", () => {
        const { container } = render(Text, { text: "<img src=x onerror=alert(1)>\u202e" });
        expect(container.querySelector("img")).toBeNull();
        expect(container.textContent).toBe("<img src=x onerror=alert(1)>\\u{202e}");
    });
    it("says how much it left out", () => {
        const { container } = render(Text, { text: "a".repeat(65536), most: 10 });
        expect(container.textContent).toBe(`${"a".repeat(10)}… 65,526 ${texts.left}`);
    });
});

describe("VirtualList", () => {
    const row = createRawSnippet((item: () => string | undefined, index: () => number) => ({ render: () => (item() === undefined ? `<span>…</span>` : `<a href="#/${index()}">${item()}</a>`) }));
    const length = 100_000;
    function made(more = {}) {
        return render(VirtualList<string>, { length, at: (index: number) => (index === 50 ? undefined : `row ${index}`), height: 44, label: "rows", row, ...more });
    }
    it("holds only what is in view of 100,000", () => {
        const { container } = made();
        const rows = container.querySelectorAll("li");
        expect(rows.length).toBeGreaterThan(0);
        expect(rows.length).toBeLessThan(60);
        expect(rows[0]!.getAttribute("aria-setsize")).toBe("100000");
        expect(rows[0]!.getAttribute("aria-posinset")).toBe("1");
    });
    it("says that it doesn't know how many there are", () => {
        expect(made({ known: false }).container.querySelector("li")!.getAttribute("aria-setsize")).toBe("-1");
    });
    it("goes from row to row by keys, to both ends, and keeps the row that has the focus", async () => {
        const { container } = made();
        const rowNow = () => document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
        const press = async (key: string, to: number) => {
            await fireEvent.keyDown(document.activeElement!, { key });
            await waitFor(() => expect(rowNow()).toBe(String(to)));
        };
        container.querySelector<HTMLElement>("[data-row='3'] a")!.focus();
        await press("ArrowDown", 4);
        await press("ArrowUp", 3);
        await press("End", length - 1);
        await press("ArrowDown", length - 1);
        await press("ArrowUp", length - 2);
        await press("Home", 0);
        const scroller = container.querySelector<HTMLElement>(".scroller")!;
        scroller.scrollTop = 44 * 5000;
        await fireEvent.scroll(scroller);
        expect(container.querySelector("[data-row='5000']")).toBeTruthy();
        expect(rowNow()).toBe("0");
        expect(container.querySelectorAll("li").length).toBeLessThan(60);
    });
    it("tells what is in view", async () => {
        const onview = vi.fn();
        const { container } = made({ onview });
        const scroller = container.querySelector<HTMLElement>(".scroller")!;
        scroller.scrollTop = 44 * 70_000;
        await fireEvent.scroll(scroller);
        const [from, to] = onview.mock.lastCall as [number, number];
        expect(from).toBeLessThanOrEqual(70_000);
        expect(to).toBeGreaterThan(70_000);
        expect(to - from).toBeLessThan(60);
    });
});

describe("Loaded", () => {
    const children = createRawSnippet((value: () => string) => ({ render: () => `<p>got ${value()}</p>` }));
    it("says that it loads, then shows it", async () => {
        render(Loaded<string>, { load: () => Promise.resolve("it"), children });
        expect(screen.getByRole("status").textContent).toBe(texts.loading);
        await screen.findByText("got it");
    });
    it("says what failed and tries again", async () => {
        const load = vi.fn().mockRejectedValueOnce(new ApiError("offline", 0, "")).mockResolvedValue("it");
        render(Loaded<string>, { load, children });
        expect((await screen.findByRole("alert")).textContent).toContain(texts.failures.offline);
        await fireEvent.click(screen.getByText(texts.retry));
        await screen.findByText("got it");
        expect(screen.queryByRole("alert")).toBeNull();
    });
    it("doesn't offer to try again what the role forbids", async () => {
        render(Loaded<string>, { load: () => Promise.reject(new ApiError("forbidden", 403, "no")), children });
        await screen.findByRole("alert");
        expect(screen.queryByText(texts.retry)).toBeNull();
    });
});

describe("ActionDialog", () => {
    const action: Action = {
        title: "shop: block",
        says: "It blocks.",
        undo: "Set alert.",
        method: "PUT",
        path: "/services/shop/mode",
        body: (reason) => ({ mode: "block", reason }),
        reason: "needed",
        cli: (reason) => `guard mode block --service shop --reason ${reason}`,
    };
    it("tells the request and the command, and does nothing before the yes", async () => {
        const asked = vi.fn(() => Promise.resolve(Response.json({})));
        vi.stubGlobal("fetch", asked);
        const done = vi.fn();
        render(ActionDialog);
        offer({ ...action, done });
        await screen.findByText("It blocks.");
        expect(screen.getByText(/PUT \/api\/v1\/services\/shop\/mode/)).toBeTruthy();
        expect(screen.getByText(/guard mode block/)).toBeTruthy();
        expect(asked).not.toHaveBeenCalled();
        await fireEvent.input(screen.getByLabelText(/Reason/), { target: { value: "quiet weeks" } });
        await fireEvent.submit(screen.getByText(texts.dialog.yes).closest("form")!);
        await waitFor(() => expect(done).toHaveBeenCalledOnce());
        const [path, init] = asked.mock.calls[0] as unknown as [string, RequestInit];
        expect(path).toBe("/api/v1/services/shop/mode");
        expect(JSON.parse(init.body as string)).toEqual({ mode: "block", reason: "quiet weeks" });
    });
    it("keeps what was asked for before the browser tells that the dialog was closed", async () => {
        render(ActionDialog);
        offer(action);
        await screen.findByText("It blocks.");
        const dialog = screen.getByText("It blocks.").closest("dialog")!;
        dialog.open = false; // by Escape; the event comes later
        offer({ ...action, says: "It watches." });
        await screen.findByText("It watches.");
        expect(dialog.open).toBe(true);
        dialog.dispatchEvent(new Event("close"));
        await tick();
        expect(screen.getByText("It watches.")).toBeTruthy();
        dialog.close();
        await tick();
        expect(screen.queryByText("It watches.")).toBeNull();
    });
    it("stays open and says why it was refused", async () => {
        vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ detail: "somebody else changes it" }, { status: 409 })));
        render(ActionDialog);
        offer(action);
        await screen.findByText("It blocks.");
        await fireEvent.submit(screen.getByText(texts.dialog.yes).closest("form")!);
        expect((await screen.findByRole("alert")).textContent).toContain("somebody else changes it");
    });
});
