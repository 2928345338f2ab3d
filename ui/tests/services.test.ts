// SPDX-License-Identifier: Apache-2.0
// The first asking for services, which waits for nobody: it is used once, soon, and by whoever asked.
import { afterEach, describe, expect, it, vi } from "vitest";
import { exchange } from "../src/lib/api";
import { session } from "../src/lib/session.svelte";
import { allServices, askEarly, forgetEarly } from "../src/lib/services";

afterEach(() => {
    forgetEarly();
    vi.useRealTimers();
    vi.unstubAllGlobals();
    Object.assign(session, { state: "asking", who: null, note: "" });
});

/** guardd: one answer after the other, the last again. */
function guardd(...answers: Response[]) {
    const asked: string[] = [];
    vi.stubGlobal("fetch", (path: string) => {
        asked.push(path);
        return Promise.resolve(answers[Math.min(asked.length, answers.length) - 1]!.clone());
    });
    return asked;
}

const listed = (service: string) => Response.json({ total: 1, services: [{ service }], next: null });
const names = async () => (await allServices()).map((one) => one.service);

describe("services", () => {
    it("that were asked for early are asked for once, and later ones anew", async () => {
        const asked = guardd(listed("early"), listed("later"));
        askEarly();
        expect(asked).toHaveLength(1);
        expect(await names()).toEqual(["early"]);
        expect(asked).toHaveLength(1);
        expect(await names()).toEqual(["later"]);
        expect(asked).toHaveLength(2);
    });
    it("are asked for again when the early answer was none, and nobody is sent to the login for it", async () => {
        const asked = guardd(Response.json({ detail: "who?" }, { status: 401 }), listed("mine"));
        askEarly();
        await vi.waitFor(() => expect(asked).toHaveLength(1));
        await Promise.resolve();
        expect(session.state).toBe("asking");
        expect(await names()).toEqual(["mine"]);
        expect(session.state).toBe("asking");
    });
    it("of who was logged in before are nobody else's", async () => {
        guardd(listed("theirs"), Response.json({ detail: "who?" }, { status: 401 }), listed("mine"));
        askEarly();
        await expect(exchange("/session")).rejects.toThrow();
        expect(session.state).toBe("out");
        expect(await names()).toEqual(["mine"]);
    });
    it("that came long ago aren't shown", async () => {
        vi.useFakeTimers({ toFake: ["Date"] });
        guardd(listed("old"), listed("new"));
        askEarly();
        vi.setSystemTime(Date.now() + 6000);
        expect(await names()).toEqual(["new"]);
    });
});
