// SPDX-License-Identifier: Apache-2.0
// A library that is asked by JSONPath: jsonpath-plus 10.0.0 evaluates filters as code (CVE-2024-21534).
'use strict';
const { application, listen, item, words } = require('../service');
const express = require('express');
const { JSONPath } = require('jsonpath-plus');

const app = application();
const books = [...Array(40).keys()].map((i) => ({ ...item(i * 11), category: words[i % 5], author: words[i % 12] }));
const store = { store: { book: books, owner: { name: 'Ada', city: 'Bern' } } };
app.post('/query', express.json(), function (request, response) {
    const found = JSONPath({ path: String(request.body.path), json: store });
    response.json({ count: found.length, first: found.slice(0, 3) });
});
app.get('/books/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.get('/books', function (request, response) {
    response.json(books.slice(0, Number(request.query.limit) || 5));
});
app.post('/loans', express.json(), function (request, response) {
    response.status(201).json({ id: Number(request.body.book), reader: String(request.body.reader) });
});
listen(app);
