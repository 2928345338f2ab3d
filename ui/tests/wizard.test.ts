// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import PatchWizard from "../src/parts/PatchWizard.svelte";
import { asked } from "../src/lib/actions.svelte";
import { against, commandOf, inMode, tooLong, type Proposal } from "../src/lib/proposals";
import { texts } from "../src/texts";

afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    asked.action = null;
});

const rate = (hits: number, of: number) => ({ hits, of, low: 0, high: 1 });
const proposal = (more: Partial<Proposal> = {}): Proposal => ({
    service: "shop",
    format: "raw",
    whole: true,
    narrowness: "syntax",
    says: "",
    id: "T-1",
    enforceable: true,
    exploit: rate(1, 1),
    rewritten: rate(4, 4),
    benign: rate(0, 3),
    benign_before: 0,
    reach: { exchanges: 1204, of: 41022 },
    requests: [{ line: 1, method: "GET", target: "/a<img src=x onerror=alert(1)>\u202e", step: "kept", parts: [{ kept: true, text: "path: /a" }] }],
    lines: [],
    document: 'id: "T-1"\nmode: shadow\nwhen: {contains: "mode: shadow"}\n',
    ...more,
});

function api(answer: Proposal) {
    const asks = vi.fn<(path: string, init: RequestInit) => Promise<Response>>(() => Promise.resolve(Response.json(answer)));
    vi.stubGlobal("fetch", asks);
    return asks;
}

async function ask(answer: Proposal) {
    const asks = api(answer);
    const made = render(PatchWizard, { name: "shop", added: vi.fn() });
    await fireEvent.input(screen.getByLabelText(texts.wizard.exploit), { target: { value: "GET /a HTTP/1.1" } });
    await fireEvent.click(screen.getByText(texts.wizard.propose));
    await screen.findByRole("region", { name: texts.wizard.proposal });
    return { asks, made };
}

describe("what is made of a proposal", () => {
    it.each([
        [{}, ""],
        [{ enforceable: false }, "benign"],
        [{ exploit: rate(1, 2) }, "exploit"],
        [{ narrowness: "endpoint" as const }, "wide"],
        [{ benign: null }, "unmeasured"],
    ])("%j: %s", (more, why) => expect(against(proposal(more))).toBe(why));
    it("is enforced by its mode alone", () => {
        expect(inMode(proposal().document, "enforce")).toBe('id: "T-1"\nmode: enforce\nwhen: {contains: "mode: shadow"}\n');
    });
    it("is said to a shell as it is, and has a maximum", () => {
        const wanted = { exploit: "x", benign: " ", id: "T-1", title: "it's" };
        expect(commandOf("shop", wanted)).toBe("guard patch from EXPLOIT --service shop --id T-1 --title 'it'\\''s' --add");
        expect(tooLong(wanted)).toBe(false);
        expect(tooLong({ ...wanted, benign: "é".repeat(110_000) })).toBe(true);
    });
});

describe("the wizard", () => {
    it("asks for what was said, and shows both rates and what is kept, as text", async () => {
        const { asks, made } = await ask(proposal());
        expect(asks.mock.calls[0]![0]).toBe("/api/v1/services/shop/proposals");
        expect(JSON.parse(asks.mock.calls[0]![1].body as string)).toEqual({ exploit: "GET /a HTTP/1.1" });
        expect(screen.getByText("0 / 3")).toBeTruthy();
        expect(screen.getByText("1,204 / 41,022")).toBeTruthy();
        expect(made.container.querySelector("img")).toBeNull();
        expect(made.container.textContent).not.toContain("\u202e");
    });
    it("says what isn't known instead of guessing", async () => {
        await ask(proposal({ benign: null, reach: null }));
        expect(screen.getByText(texts.wizard.benignUnknown)).toBeTruthy();
        expect(screen.getByText(texts.wizard.reachUnknown)).toBeTruthy();
        expect(screen.getByText(texts.wizard.against.unmeasured)).toBeTruthy();
    });
    it("adds in shadow, or enforced with a reason", async () => {
        const { asks } = await ask(proposal());
        await fireEvent.click(screen.getByText(texts.wizard.addShadow));
        expect(asked.action!.reason).toBe("asked");
        await fireEvent.click(screen.getByText(texts.wizard.addEnforced));
        expect(asked.action!.reason).toBe("needed");
        expect(asked.action!.cli("")).toContain("guard patch enable T-1");
        await asked.action!.send!("it is attacked");
        const [path, init] = asks.mock.calls.at(-1)!;
        expect(path).toBe("/api/v1/services/shop/patches?reason=it%20is%20attacked");
        expect(init.body).toContain("mode: enforce");
        await waitFor(() => expect(screen.getByText("T-1")).toBeTruthy());
    });
    it("doesn't offer to enforce what stops benign requests, or anything where there is no patch", async () => {
        await ask(proposal({ enforceable: false, benign: rate(2, 3) }));
        expect(screen.queryByText(texts.wizard.addEnforced)).toBeNull();
        cleanup();
        await ask(proposal({ narrowness: "nothing", document: "", enforceable: false }));
        expect(screen.queryByText(texts.wizard.addShadow)).toBeNull();
        expect(screen.getByText(texts.wizard.nothing)).toBeTruthy();
    });
    it("begins with what is known of an alert, and says that its request isn't kept", async () => {
        vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ id: "a", service: "shop", method: "POST", template: "/x/{int}", findings: [{ location: "query", name: "q", observed: "aa 0=0" }] })));
        render(PatchWizard, { name: "shop", from: "a", added: vi.fn() });
        await screen.findByText(/isn't kept/);
        expect((screen.getByLabelText(texts.wizard.exploit) as HTMLTextAreaElement).value).toContain("POST /x/{int} HTTP/1.1");
    });
});
