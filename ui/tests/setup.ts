// SPDX-License-Identifier: Apache-2.0
// On a machine with much else to do a look takes long: nothing fails for that.
import { configure } from "@testing-library/svelte";

configure({ asyncUtilTimeout: 30_000 });
