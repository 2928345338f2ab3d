// SPDX-License-Identifier: Apache-2.0
// Preferences by dotted names: flat 5.0.0 reaches the prototype of all objects by them (CVE-2020-36632).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const { unflatten } = require('flat');

const app = application();
const users = new Map();
app.patch('/preferences/:user', express.json(), function (request, response) {
    const preferences = unflatten(request.body);
    users.set(request.params.user, preferences);
    response.json(preferences);
});
app.get('/billing/:user', function (request, response) {
    const user = { name: request.params.user };
    response.json(user.isAdmin ? { cards: ['4000-0000-0000-0002'] } : { open: item(user.name.length).price });
});
app.get('/help', function (request, response) {
    response.json({ topic: String(request.query.topic), found: 3 });
});
listen(app);
