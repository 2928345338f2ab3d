// SPDX-License-Identifier: Apache-2.0
// Orders as XML: xml2js 0.4.23 sets an object's prototype by the element __proto__ (CVE-2023-0842).
'use strict';
const { application, listen, item } = require('../service');
const express = require('express');
const xml = require('xml2js');

const app = application();
app.post('/orders', express.text({ type: ['application/xml', 'text/xml'] }), function (request, response, next) {
    xml.parseString(request.body, { explicitArray: false }, function (error, document) {
        if (error || !document || !document.order) {
            return response.status(400).json({ error: 'no order' });
        }
        // A document has one root: what stands beside the order is from us.
        response.status(201).json({ state: document.paid === 'yes' ? 'paid, will be sent' : 'waits for payment', item: String(document.order.item) });
    });
});
app.get('/orders/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.get('/items', function (request, response) {
    response.json([item(String(request.query.q).length), item(8)]);
});
listen(app);
