// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import BlockForm from "../src/parts/BlockForm.svelte";
import { asked, pathOf } from "../src/lib/actions.svelte";
import { blockAction, saysOf, TIMES, unblockAction, type Blocked } from "../src/lib/blocks";
import { acceptAction } from "../src/lib/teach";
import { texts } from "../src/texts";

const dry = (lately: Partial<Blocked["lately"]> = {}): Blocked => ({
    service: "shop",
    client: "192.0.2.0/24",
    seconds: 3600,
    applied: false,
    lately: { known: true, requests: 12, requests_day: 3456, seen_ms: 1, shared: false, clients: 78, ...lately },
});

afterEach(() => {
    cleanup();
    asked.action = null;
    vi.unstubAllGlobals();
});

describe("blocking a client", () => {
    it("says whom it hits, and shouts when they may be many", () => {
        expect(saysOf(dry(), "1h")).toBe("192.0.2.0/24 gets nothing but 403 from all gates of the service within seconds, for an hour. Lately: 3,456 requests today (UTC), 12 in these ten minutes, of about 78 clients that were counted.");
        expect(saysOf(dry({ shared: true }), "1h")).toContain("MANY MAY STAND BEHIND IT");
        expect(saysOf(dry({ known: false }), "7d")).toContain(texts.blocks.unknown);
    });
    it("blocks whom guardd named, as the command line does", () => {
        const action = blockAction("my shop", dry(), "8h");
        expect(action.path).toBe("/services/my%20shop/blocks");
        expect(action.body?.("stole it")).toEqual({ client: "192.0.2.0/24", seconds: 28_800, reason: "stole it" });
        expect(action.cli("stole it")).toBe("guard clients block 'my shop' 192.0.2.0/24 --for 8h --reason 'stole it'");
        expect(action.reason).toBe("needed");
        expect(Object.keys(TIMES)).toEqual(Object.keys(texts.blocks.times));
    });
    it("ends it with or without a reason", () => {
        const action = unblockAction("shop", "192.0.2.0/24");
        expect(pathOf(action, "")).toBe("/services/shop/blocks?client=192.0.2.0%2F24");
        expect(pathOf(action, "a & b")).toBe("/services/shop/blocks?client=192.0.2.0%2F24&reason=a%20%26%20b");
        expect(action.cli("")).toBe("guard clients unblock shop 192.0.2.0/24");
    });
    it("asks guardd first, changes nothing by that, and tells what is refused", async () => {
        const fetched = vi.fn<typeof fetch>(async () => new Response(JSON.stringify(dry()), { status: 200 }));
        vi.stubGlobal("fetch", fetched);
        render(BlockForm, { service: "shop", client: "192.0.2.7" });
        await fireEvent.submit(screen.getByText(texts.blocks.block).closest("form")!);
        await waitFor(() => expect(asked.action).not.toBeNull());
        expect(fetched).toHaveBeenCalledTimes(1);
        expect(fetched.mock.calls[0]![0]).toBe("/api/v1/services/shop/blocks?dryRun=true");
        fetched.mockImplementation(async () => new Response(JSON.stringify({ detail: "is too wide: at most a /24 is one client" }), { status: 422 }));
        asked.action = null;
        await fireEvent.submit(screen.getByText(texts.blocks.block).closest("form")!);
        await waitFor(() => expect(screen.getByRole("alert").textContent).toContain("is too wide"));
        expect(asked.action).toBeNull();
    });
});

describe("accepting what an alert tells of", () => {
    const item = { id: "0123456789ab", title: "GET /users query page: the name", clients: 8, lacks: "1 more epoch", attack: false };
    const said = { id: "a", service: "shop", generation: 7, taught: 1, findings: [{ items: [item], why_not: "" }] };
    it("accepts one thing, and says how far that goes and how it is undone", () => {
        const action = acceptAction(said, item);
        expect(action.body?.("new form")).toEqual({ decision: "accept", ids: ["0123456789ab"], why: "new form" });
        expect(action.undo).toBe(texts.teach.undo);
        expect(action.says).not.toContain(texts.teach.partly);
        const partly = { ...said, findings: [...said.findings, { items: [], why_not: "x" }] };
        expect(acceptAction(partly, item).says).toContain(texts.teach.partly);
        expect(acceptAction(said, { ...item, attack: true }).says).toContain(texts.teach.attackSays);
        expect(action.cli("new form")).toBe("guard review accept 0123456789ab --service shop --why 'new form'");
    });
});
