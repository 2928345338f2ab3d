// SPDX-License-Identifier: Apache-2.0
// What gates tell guardd of a service: one answer of a gate is one worker's, and says nothing of the others.
import { readdirSync, readFileSync } from "node:fs";
import { until } from "./waiting.mjs";

const { STATE } = process.env;

/** Of each gate the lines that it wrote of the service in the last seconds. */
export function gatesTell(service) {
    const files = readdirSync(`${STATE}/rings`).filter((name) => name.endsWith(".counts"));
    const lines = files.flatMap((name) => readFileSync(`${STATE}/rings/${name}`, "utf8").split("\n").filter(Boolean));
    return lines.map((line) => JSON.parse(line)).filter((told) => told.service === service);
}

/** Until every worker has the generation in force that guardd published last, in this mode. */
export async function gatesFollow(api, service, mode) {
    await until(
        `each worker of the gate in mode ${mode}`,
        async () => {
            const { generation } = await api(`/services/${service}`);
            return { published: generation, gates: gatesTell(service).map(({ generation_oldest, generation_newest, mode }) => ({ generation_oldest, generation_newest, mode })) };
        },
        ({ published, gates }) => gates.length > 0 && gates.every((one) => one.mode === mode && one.generation_oldest === published && one.generation_newest === published),
    );
}
