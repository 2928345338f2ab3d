// SPDX-License-Identifier: Apache-2.0
// What all victims share: an Express application that listens on the port it is told, in the folder it is started in, and says so.
// Nothing here is vulnerable: that is what each victim's old package is for.
'use strict';
const express = require('express');

exports.application = function () {
    const app = express();
    app.disable('x-powered-by');
    app.disable('etag');
    return app;
};

exports.listen = function (app) {
    app.use(function (error, request, response, next) {
        response.status(error.status || 500).type('text/plain').send('that failed');
    });
    const server = app.listen(Number(process.argv[2]), '127.0.0.1', function () {
        console.log('listening on ' + server.address().port);
    });
    server.keepAliveTimeout = 0; // nginx keeps connections as long as it likes
};

// Cards, books, people: small made data, the same at each start.
exports.words = ['amber', 'birch', 'cedar', 'dune', 'ember', 'fjord', 'grove', 'harbour', 'island', 'juniper', 'kelp', 'lagoon'];
exports.item = function (number) {
    const n = Math.abs(Number(number) || 0) % 5000;
    return { id: n, title: exports.words[n % 12] + ' ' + exports.words[(n * 7 + 3) % 12], price: 100 + n * 37 % 9000, year: 1950 + n % 75 };
};
