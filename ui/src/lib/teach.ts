// SPDX-License-Identifier: Apache-2.0
// Accepting the one thing that an alert tells of.
import type { Action } from "./actions.svelte";
import type { Schemas } from "./api";
import { quoted } from "./shown";
import { texts } from "../texts";

type Said = Schemas["AlertReview"];
type Item = Said["findings"][number]["items"][number];

const t = texts.teach;

export function acceptAction(said: Said, item: Item, done?: () => void): Action {
    return {
        title: `${t.accept}: ${item.title}`,
        says: `${item.title} ${t.says}${item.attack ? ` ${t.attackSays}` : ""}${said.taught < said.findings.length || said.findings.length > 1 ? ` ${t.partly}` : ""}`,
        undo: t.undo,
        method: "POST",
        path: `/services/${encodeURIComponent(said.service)}/review`,
        body: (reason) => ({ decision: "accept", ids: [item.id], why: reason }),
        reason: "needed",
        danger: true,
        cli: (reason) => `guard review accept ${quoted(item.id)} --service ${quoted(said.service)} --why ${quoted(reason)}`,
        done,
    };
}
