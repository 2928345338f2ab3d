// SPDX-License-Identifier: Apache-2.0
// Settings of users, merged over defaults: lodash 4.17.11 lets defaultsDeep reach the prototype of all objects (CVE-2019-10744).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const _ = require('lodash');

const app = application();
const DEFAULTS = { theme: 'light', language: 'en', mail: { weekly: true, digest: 'daily' }, limits: { rows: 20 } };
const users = new Map();
const known = (name) => ({ name, settings: users.get(name) || DEFAULTS });

app.put('/settings/:user', express.json(), function (request, response) {
    const settings = _.defaultsDeep({}, request.body, DEFAULTS);
    users.set(request.params.user, settings);
    response.json(settings);
});
app.get('/settings/:user', function (request, response) {
    response.json(known(request.params.user).settings);
});
app.get('/report', function (request, response) {
    const user = known(String(request.query.user));
    response.json(user.isAdmin ? { salaries: [52000, 61000, 187000] } : { rows: [item(request.query.page)] });
});
app.post('/messages', express.json(), function (request, response) {
    response.status(201).json({ to: String(request.body.to), length: String(request.body.text).length });
});
listen(app);
