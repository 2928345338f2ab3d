# SPDX-License-Identifier: Apache-2.0
"""A blocked client gets its answer in the form that it understands, and learns nothing from it but an id."""


import re
import subprocess

import pytest

from .conftest import ATTACK_QUERY, HELD
from .service import Service

ID = re.compile(rb"[0-9a-f]{32}")
TEXT = "text/plain"
JSON = "application/problem+json"
HTML = "text/html; charset=utf-8"
FORMS = [
    ([], TEXT),
    (["-H", "Accept:"], TEXT),
    (["-H", "Accept: application/json"], JSON),
    (["-H", "Accept: application/problem+json"], JSON),
    (["-H", "Accept: application/vnd.api+json"], JSON),
    (["-H", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], HTML),
    (["-H", "Accept: text/html;q=0.5, application/json;q=0.9"], JSON),
    (["-H", "Accept: text/html;q=0.9, application/json;q=0.50"], HTML),
    (["-H", "Accept: application/json, text/plain, */*"], JSON),
    (["-H", "Accept: text/plain, application/json"], TEXT),
    (["-H", "Accept: text/html;q=0, image/png"], TEXT),
    (["-H", "Accept: image/png,,;q=,q=q"], TEXT),
    (["-H", "Content-Type: application/json", "-d", "{}"], JSON),
    (["-H", "Content-Type: application/json", "-H", "Accept: text/html", "-d", "{}"], HTML),
]


@pytest.fixture
def service():
    server = Service()
    yield server
    server.close()


@pytest.fixture
def front(gate, service):
    def make(inside="", http=HELD):
        return gate(f"""
        server {{ listen 127.0.0.1:{{port}}; {inside} location / {{ proxy_pass http://127.0.0.1:{service.port}; }} }}
        server {{ listen 127.0.0.1:{{port2}} http2; {inside} location / {{ proxy_pass http://127.0.0.1:{service.port}; }} }}
        """, http=http, leaks=True)
    return make


def shape(answer):
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-guard-id")}
    return answer.status, tuple(sorted(headers.items())), ID.sub(b"", answer.body)


def test_forms(front):
    instance = front()
    for options, form in FORMS:
        for path in (f"/a?{ATTACK_QUERY}", "/a?bad=start"):  # the request's fault, and the response's
            answer = instance.curl(path, *options)
            assert (answer.status, answer.headers["content-type"]) == (403, form), options
            assert answer.headers["x-guard-id"].encode() in answer.body
            assert answer.headers["cache-control"] == "no-store"
            if form == JSON:
                assert answer.json() == {"type": "about:blank", "title": "Forbidden", "status": 403,
                                         "id": answer.headers["x-guard-id"]}


@pytest.mark.parametrize("port,options", [("port", []), ("port2", ["--http2-prior-knowledge"])], ids=["h1", "h2"])
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
def test_all_blocks_look_alike(front, port, options, accept):
    instance = front()
    answers = [instance.curl(path, *options, "-H", f"Accept: {accept}", port=port)
               for path in (f"/a?{ATTACK_QUERY}", "/b?q=%27%3B", "/a?bad=start", "/a?bad=end&size=9000",
                            "/a?bad=start&framing=chunked", "/c?bad=start&framing=close&coding=gzip")]
    assert len({shape(answer) for answer in answers}) == 1
    assert len({answer.headers["x-guard-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto"])  # gRPC-Web: protocols/test_grpc_web.py
def test_grpc(front, tmp_path, kind):
    """Trailers only: one header block that ends the stream."""
    (tmp_path / "message").write_bytes(b"\0\0\0\0\0")
    instance = front()
    for path in (f"/a?{ATTACK_QUERY}", "/a?bad=start"):
        done = subprocess.run(
            ["nghttp", "-nv", "-H", f"content-type: {kind}", "-d", tmp_path / "message",
             instance.url(path, "port2")],
            capture_output=True, text=True, timeout=120, check=True)
        lines = done.stdout
        assert ":status: 200" in lines and "grpc-status: 7" in lines and "grpc-message: Forbidden" in lines
        assert "content-type: application/grpc" in lines
        assert "recv DATA" not in lines
        assert re.search(r"recv HEADERS frame <length=\d+, flags=0x05", lines)  # END_STREAM, END_HEADERS
        assert "x-guard-id: " in lines


def test_head(front):
    instance = front()
    for path in (f"/a?{ATTACK_QUERY}", "/a?header=X-Q:needle%27"):
        answer = instance.curl(path, "-I")
        assert (answer.status, answer.body, answer.headers["content-length"]) == (403, b"", "52")


def test_page(front, tmp_path):
    (tmp_path / "page.html").write_text("<p>Sorry. @ID@ and @ID@</p>\n")
    instance = front(f"guard_block_page {tmp_path}/page.html;")
    for path in (f"/a?{ATTACK_QUERY}", "/a?bad=start"):
        answer = instance.curl(path)
        number = answer.headers["x-guard-id"]
        assert answer.status == 403
        assert answer.headers["content-type"] == HTML
        assert answer.body.decode() == f"<p>Sorry. {number} and {number}</p>\n"
        assert instance.curl(path, "-H", "Accept: application/json").headers["content-type"] == JSON


@pytest.mark.parametrize("content", [b"none", b"@ID@", b"@ID@@ID@"])
def test_odd_pages(front, tmp_path, content):
    (tmp_path / "page.txt").write_bytes(content)
    instance = front(f"guard_block_page {tmp_path}/page.txt;")
    answer = instance.curl(f"/a?{ATTACK_QUERY}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body == content.replace(b"@ID@", answer.headers["x-guard-id"].encode())


@pytest.mark.parametrize("content,complaint", [
    (None, "No such file"), (b"@ID@" * 9, "too often"), (b"a\0b", "is empty or no text"), (b"", "is empty or no text"), (b"x" * 70000, "page.html")])
def test_bad_pages_are_refused(front, tmp_path, nginx, gate, content, complaint):
    if content is not None:
        (tmp_path / "page.html").write_bytes(content)
    from harness import Nginx
    instance = Nginx(tmp_path / "refused", f"server {{ listen 127.0.0.1:{{port}}; guard_block_page {tmp_path}/page.html; }}")
    code, text = instance.test()
    assert code != 0 and complaint in text


@pytest.mark.parametrize("directive", [
    "guard_response_hold 17m;", "guard_response_hold 1k 61s;", "guard_response_hold x;", "guard_response maybe;",
    "guard_response_limit 0;", "guard_response_hold 1k; guard_response_hold 1k;"])
def test_bad_directives_are_refused(tmp_path, directive):
    from harness import Nginx
    code, _ = Nginx(tmp_path / "refused", f"server {{ listen 127.0.0.1:{{port}}; {directive} }}").test()
    assert code != 0
