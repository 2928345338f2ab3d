// SPDX-License-Identifier: Apache-2.0
// A calculator: mathjs 3.10.1 lets an expression reach the constructor of functions (published in 2017 without a CVE).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const math = require('mathjs');

const app = application();
const result = (expression) => math.format(math.eval(String(expression)), 8);
app.get('/calculate', function (request, response) {
    response.json({ result: result(request.query.expression) });
});
app.post('/calculate', express.json(), function (request, response) {
    response.json({ results: [].concat(request.body.expressions).slice(0, 8).map(result) });
});
app.get('/history/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.post('/feedback', express.urlencoded({ extended: false }), function (request, response) {
    response.json({ length: String(request.body.text).length });
});
listen(app);
