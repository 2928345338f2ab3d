// SPDX-License-Identifier: Apache-2.0
// Watches services of the machine: systeminformation 5.3.0 hands an array's elements to a shell (CVE-2021-21315).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const system = require('systeminformation');

const app = application();
const seen = new Map(); // asking the machine takes long
app.get('/services', function (request, response) {
    const name = request.query.name || '';
    const key = JSON.stringify(name);
    if (seen.has(key)) {
        return response.json(seen.get(key));
    }
    system.services(name, function (found) {
        const told = (found || []).map((one) => ({ name: one.name, running: Boolean(one.running) }));
        seen.set(key, told);
        response.json(told);
    });
});
app.get('/hosts/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.post('/notes', express.json(), function (request, response) {
    response.status(201).json({ length: String(request.body.text).length });
});
app.get('/events', function (request, response) {
    response.json([item(request.query.since)]);
});
listen(app);
