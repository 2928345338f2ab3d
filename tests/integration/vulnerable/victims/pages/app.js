// SPDX-License-Identifier: Apache-2.0
// Pages for members: ejs 3.1.6 takes its options from what is rendered, and that from the query (CVE-2022-29078).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const path = require('path');

const app = application();
app.set('view engine', 'ejs');
app.set('views', path.join(__dirname, 'views'));
app.get('/page', function (request, response) {
    response.render('page', request.query);
});
app.get('/archive/:year', function (request, response) {
    response.json([item(request.params.year), item(request.query.page)]);
});
app.get('/search', function (request, response) {
    response.json({ found: String(request.query.q).length % 7 });
});
app.post('/contact', express.urlencoded({ extended: true }), function (request, response) {
    response.render('thanks', { name: request.body.name });
});
listen(app);
