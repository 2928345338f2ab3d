// SPDX-License-Identifier: Apache-2.0
// Mails made from templates of its users: handlebars 4.1.0 lets a template reach the constructor of functions (CVE-2019-20920).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const handlebars = require('handlebars');

const app = application();
app.post('/preview', express.json(), function (request, response) {
    const make = handlebars.compile(String(request.body.template));
    response.json({ subject: String(request.body.subject), text: make(request.body.data || {}) });
});
app.get('/templates/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.get('/contacts', function (request, response) {
    response.json({ query: String(request.query.name), contacts: [item(7)] });
});
app.post('/contacts', express.json(), function (request, response) {
    response.status(201).json({ id: String(request.body.mail).length });
});
listen(app);
