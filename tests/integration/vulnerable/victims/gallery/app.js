// SPDX-License-Identifier: Apache-2.0
// A gallery: express-fileupload 1.1.7 pollutes the prototype by the name of a part (CVE-2020-7699), and ejs runs what it finds there.
'use strict';
const { application, listen, item } = require('../service');
const upload = require('express-fileupload');
const path = require('path');

const app = application();
app.set('view engine', 'ejs');
app.set('views', path.join(__dirname, 'views'));
app.use(upload({ parseNested: true }));
app.get('/', function (request, response) {
    response.render('gallery', { title: request.query.title || 'all', photos: [item(3), item(4)] });
});
app.get('/photos/:id', function (request, response) {
    response.json(item(request.params.id));
});
app.post('/photos', function (request, response) {
    const photo = request.files && request.files.photo;
    response.status(201).json({ size: photo ? photo.size : 0, title: String(request.body.title), album: (request.body.album || {}).name || '' });
});
listen(app);
