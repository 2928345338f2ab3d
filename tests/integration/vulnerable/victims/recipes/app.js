// SPDX-License-Identifier: Apache-2.0
// Recipes that are imported as YAML: js-yaml 2.0.4 makes functions of it and calls what is named toString (CVE-2013-4660).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const yaml = require('js-yaml');

const app = application();
app.post('/import', express.text({ type: ['application/x-yaml', 'text/yaml'] }), function (request, response) {
    const recipe = yaml.load(request.body);
    response.status(201).json({ title: 'imported: ' + recipe.title, steps: (recipe.steps || []).length });
});
app.get('/recipes/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.get('/recipes', function (request, response) {
    response.json({ query: String(request.query.q), recipes: [item(5), item(6)] });
});
app.post('/reviews', express.json(), function (request, response) {
    response.status(201).json({ stars: Number(request.body.stars), length: String(request.body.text).length });
});
listen(app);
