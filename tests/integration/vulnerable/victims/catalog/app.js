// SPDX-License-Identifier: Apache-2.0
// A catalogue: pug 3.0.0 writes its option "pretty", here from the query, into the code it makes (CVE-2021-21353).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const path = require('path');

const app = application();
app.set('view engine', 'pug');
app.set('views', path.join(__dirname, 'views'));
app.get('/products', function (request, response) {
    response.render('products', request.query);
});
app.get('/products/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.post('/cart', express.json(), function (request, response) {
    response.status(201).json({ id: Number(request.body.product), quantity: Number(request.body.quantity) });
});
app.post('/questions', express.urlencoded({ extended: false }), function (request, response) {
    response.json({ length: String(request.body.text).length });
});
listen(app);
