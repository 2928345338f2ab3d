// SPDX-License-Identifier: Apache-2.0
// Notes whose reader is kept in a cookie: node-serialize 0.0.4 runs functions that it unserializes (CVE-2017-5941).
'use strict';
const { application, listen, item } = require('../service');
const cookies = require('cookie-parser');
const express = require('express');
const serialize = require('node-serialize');

const app = application();
app.use(cookies());
app.get('/', function (request, response) {
    if (!request.cookies.profile) {
        return response.type('text/plain').send('Hello, stranger');
    }
    const profile = serialize.unserialize(Buffer.from(request.cookies.profile, 'base64').toString());
    response.type('text/plain').send('Hello, ' + String(profile.username) + ' of ' + String(profile.city));
});
app.post('/profile', express.urlencoded({ extended: false }), function (request, response) {
    const { username, city, country } = request.body;
    const text = serialize.serialize({ username, city, country });
    response.cookie('profile', Buffer.from(text).toString('base64'), { httpOnly: true });
    response.json({ saved: true });
});
app.get('/notes', function (request, response) {
    response.json({ query: String(request.query.q || ''), notes: [item(1), item(2)] });
});
app.get('/notes/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.post('/notes', express.json(), function (request, response) {
    response.status(201).json({ id: String(request.body.text).length, tags: request.body.tags || [] });
});
listen(app);
