// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import ExceptionForm from "../src/parts/ExceptionForm.svelte";
import { asked } from "../src/lib/actions.svelte";
import type { Alert } from "../src/lib/api";
import { commandOf, expiryOf, goodDays, goodId, idOf, partsOf, saysEnough, scopeOf, whyNot, type Finding } from "../src/lib/exceptions";
import { texts } from "../src/texts";

afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    asked.action = null;
});

const finding = (more: Partial<Finding> = {}): Finding => ({ part: "request", location: "query", name: "q", rule: "character", observed: "'", expected: "a", p: 1e-6, ...more });
const alert = (findings: Finding[], more: Partial<Alert> = {}): Alert =>
    ({ id: "0a1b2c3d4e5f6a7b8c", service: "shop", method: "GET", template: "/search", client: "192.0.2.7", findings, ...more }) as Alert;

describe("the scope of an exception", () => {
    it("is what the finding says, and not the client", () => {
        expect(scopeOf(partsOf(alert([]), finding()))).toEqual({ endpoints: ["/search"], in: ["query"], names: ["q"], rules: ["character"] });
    });
    it("of a patch's hit is the patch, where nothing of the finding may stand", () => {
        expect(scopeOf(partsOf(alert([]), finding({ rule: "patch", patch: "CVE-1" })))).toEqual({ endpoints: ["/search"], patches: ["CVE-1"] });
    });
    it("of a verdict on a client is that client", () => {
        expect(scopeOf(partsOf(alert([]), finding({ rule: "client-verdict", location: "client", name: "" })))).toEqual({ rules: ["client-verdict"], clients: ["192.0.2.7"] });
    });
    it("leaves out what isn't known, and what no scope can say", () => {
        const parts = partsOf(alert([], { template: "", client: "subject CN=bob" }), finding({ location: "none", name: "" }));
        expect(parts.map((part) => part.member)).toEqual(["methods", "rules"]);
    });
    it.each([
        [["methods", "in"], false],
        [["rules"], true],
        [["clients"], true],
        [[], false],
    ])("%j says enough: %s", (on, enough) => {
        const parts = partsOf(alert([]), finding()).map((part) => ({ ...part, on: (on as string[]).includes(part.member) }));
        expect(saysEnough(parts)).toBe(enough);
    });
    it("covers no notices, and nothing that was only watched", () => {
        expect(whyNot(finding({ rule: "patch-expiry" }))).toBe("notices");
        expect(whyNot(finding({ rule: "patch", shadow: true }))).toBe("shadow");
        expect(whyNot(finding())).toBe("");
    });
});

describe("its end, its name, its command", () => {
    it("ends within a year", () => {
        expect([0, 1, 366, 367, 1.5, NaN].map(goodDays)).toEqual([false, true, true, false, false, false]);
        expect(expiryOf(2, Date.UTC(2026, 0, 30))).toBe("2026-02-01T00:00:00.000Z");
    });
    it("has a name that is one, whatever the alert is called", () => {
        expect(goodId(idOf(alert([])))).toBe(true);
        expect(goodId(idOf(alert([], { id: "../<b>\u202e" })))).toBe(true);
        expect(goodId("-x") || goodId("a b") || goodId("")).toBe(false);
    });
    it("is said to a shell as it is", () => {
        const parts = partsOf(alert([], { template: "/a/{int}" }), finding({ name: "it's $(x)" }));
        expect(commandOf("shop", "FP-1", 7, parts, "no attack")).toBe(
            "guard exception add --service shop --id FP-1 --days 7 --endpoint '/a/{int}' --in query --name 'it'\\''s $(x)' --rule character --reason 'no attack'",
        );
    });
});

describe("the form", () => {
    function answer() {
        const asks = vi.fn<(path: string, init: RequestInit) => Promise<Response>>(() => Promise.resolve(Response.json({ service: "shop", applied: false, before: "", after: "FP-1 until 2027" })));
        vi.stubGlobal("fetch", asks);
        return asks;
    }
    it("asks what it would be before it offers to do it", async () => {
        const asks = answer();
        render(ExceptionForm, { alert: alert([finding()]) });
        await fireEvent.input(await screen.findByLabelText(texts.exceptions.days), { target: { value: "7" } });
        await fireEvent.click(screen.getByText(texts.exceptions.preview));
        await waitFor(() => expect(asked.action).not.toBeNull());
        expect(asks.mock.calls[0]![0]).toBe("/api/v1/services/shop/exceptions?dryRun=true&reason=preview");
        const wanted = asked.action!.body!("why")!;
        expect(wanted.scope).toEqual({ endpoints: ["/search"], in: ["query"], names: ["q"], rules: ["character"] });
        expect(Date.parse(wanted.expires as string) - Date.now()).toBeGreaterThan(6.9 * 86_400_000);
        expect(asked.action!.reason).toBe("needed");
        expect(asked.action!.cli("why")).toContain("--days 7");
    });
    it("offers nothing without an end or with too wide a scope", async () => {
        answer();
        render(ExceptionForm, { alert: alert([finding()]) });
        const button = screen.getByText(texts.exceptions.preview) as HTMLButtonElement;
        await waitFor(() => expect(button.disabled).toBe(false));
        await fireEvent.input(screen.getByLabelText(texts.exceptions.days), { target: { value: "" } });
        expect(button.disabled).toBe(true);
        await fireEvent.input(screen.getByLabelText(texts.exceptions.days), { target: { value: "5" } });
        for (const box of screen.getAllByRole("checkbox").filter((one) => (one as HTMLInputElement).checked)) await fireEvent.click(box);
        expect(button.disabled).toBe(true);
        await screen.findByText(texts.exceptions.tooWide);
    });
    it("says why where nothing can be covered, and shows names of strangers as text", async () => {
        const hostile = "<img src=x onerror=alert(1)>\u202e";
        const { container, unmount } = render(ExceptionForm, { alert: alert([finding({ name: hostile }), finding({ name: hostile, rule: "length" })]) });
        await screen.findByText(texts.exceptions.scope);
        expect(container.querySelector("img")).toBeNull();
        expect(container.textContent).not.toContain("\u202e");
        unmount();
        render(ExceptionForm, { alert: alert([finding({ rule: "patch-expiry" })]) });
        expect(screen.getByText(new RegExp(texts.exceptions.whyNot.notices))).toBeTruthy();
    });
});
