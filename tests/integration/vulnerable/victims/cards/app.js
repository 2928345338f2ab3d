// SPDX-License-Identifier: Apache-2.0
// Greeting cards: squirrelly 8.0.8 takes its options from what is rendered, and that from the query (CVE-2021-32819).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const path = require('path');
const squirrelly = require('squirrelly');

const app = application();
app.engine('squirrelly', squirrelly.renderFile);
app.set('view engine', 'squirrelly');
app.set('views', path.join(__dirname, 'views'));
app.get('/card', function (request, response) {
    response.render('card', request.query);
});
app.get('/designs/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.post('/orders', express.json(), function (request, response) {
    response.status(201).json({ id: Number(request.body.design), to: String(request.body.to) });
});
listen(app);
