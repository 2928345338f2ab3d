// SPDX-License-Identifier: Apache-2.0
// Records of pods as sensors lay them down, of the replicas that the test wrote days of; and reports as the responder writes them.
import { execFileSync } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const { PODS, POD_WRITER } = process.env;
export const EXEC = 2;
export const DROPPED = 7;
export const REQUEST = 12;
let sequence = Date.now(); // goes on from script to script

/** Each line: the replica, its sensor ("podwatch", "gate"), and what it did: kind, text, detail, the request before it. */
export function put(lines) {
    const until = Date.now();
    const text = lines.map(([replica, source, ...features]) => [replica, ++sequence, until, source, ...features.flat()].join("\t")).join("\n");
    const path = `${PODS}/00000000000000bb-0000000000000001-${String(sequence).padStart(20, "0")}`;
    writeFileSync(`${path}.tmp`, execFileSync(POD_WRITER, ["demo"], { input: `${text}\n` }));
    renameSync(`${path}.tmp`, `${path}.pods`);
}

/** The order that guardd gave for the pod. */
export function orderOf(pod) {
    const orders = readdirSync(`${PODS}/orders`).filter((name) => name.endsWith(".json"));
    return orders.map((name) => JSON.parse(readFileSync(`${PODS}/orders/${name}`, "utf8"))).find((order) => order.pod.name === pod) ?? null;
}

export function report(order, lines) {
    const at = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    for (const line of lines) appendFileSync(`${PODS}/reports/${order}.jsonl`, `${JSON.stringify({ version: 1, id: order, at, ...line })}\n`);
}
