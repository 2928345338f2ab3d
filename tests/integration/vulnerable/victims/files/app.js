// SPDX-License-Identifier: Apache-2.0
// A handbook and its files: st 0.2.4 follows steps up that are percent-encoded (CVE-2014-3744).
'use strict';
const { application, listen, item } = require('../service');
const fs = require('fs');
const path = require('path');
const st = require('st');

const root = path.join(process.cwd(), 'public');
for (const folder of ['css', 'img', 'docs']) {
    fs.mkdirSync(path.join(root, folder), { recursive: true });
    for (let i = 0; i < 4; i++) {
        fs.writeFileSync(path.join(root, folder, 'page-' + i + '.' + { css: 'css', img: 'svg', docs: 'html' }[folder]), '<!-- ' + i + ' -->\n');
    }
}
fs.mkdirSync('private', { recursive: true });
fs.writeFileSync('private/accounts.json', '{"root": "the-secret-of-the-files"}\n');

const app = application();
app.use(st({ path: root, url: '/static/', cache: false, index: false, passthrough: false }));
app.get('/handbook/:chapter', function (request, response) {
    response.json(item(request.params.chapter.length));
});
app.get('/search', function (request, response) {
    response.json({ found: String(request.query.q).length % 7 });
});
listen(app);
