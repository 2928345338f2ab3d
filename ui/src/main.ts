// SPDX-License-Identifier: Apache-2.0
import { mount } from "svelte";
import App from "./App.svelte";
import { route } from "./lib/route.svelte";
import { askEarly } from "./lib/services";
import "./style.css";

if (!route.now.path[0]) askEarly(); // the overview
mount(App, { target: document.getElementById("app")! });
