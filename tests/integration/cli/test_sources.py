# SPDX-License-Identifier: Apache-2.0
"""Traffic that others recorded: HAR documents as browsers and tools write them, access logs that a real nginx writes."""

import base64
import datetime
import gzip
import json
import random
import re
import subprocess
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import BIN, curl, wait_for  # noqa: E402
from peak import peak_kib  # noqa: E402
from test_cli import digest, guard, verdicts  # noqa: E402
from traffic import Shop, write  # noqa: E402


def iso(seconds, zone=datetime.timezone.utc):
    return datetime.datetime.fromtimestamp(seconds, zone).isoformat(timespec="milliseconds")


def plain_entry(exchange):
    """The least that HAR 1.2 asks for."""
    request, response = exchange["request"], exchange.get("response", {})
    headers = [{"name": name, "value": value} for name, value in request["headers"]]
    entry = {
        "startedDateTime": iso(exchange["time"]), "time": 5.5,
        "request": {"method": request["method"], "url": "http://shop.example" + request["target"], "httpVersion": request["version"],
                    "cookies": [], "headers": headers, "queryString": [], "headersSize": -1,
                    "bodySize": len(request.get("body", ""))},
        "response": {"status": response.get("status", 0), "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
                     "headers": [{"name": name, "value": value} for name, value in response.get("headers", [])],
                     "content": {"size": 0, "mimeType": ""}, "redirectURL": "", "headersSize": -1, "bodySize": -1},
        "cache": {}, "timings": {"send": 0, "wait": response.get("latency_ms", -1), "receive": 1}}
    if "body" in request:
        entry["request"]["postData"] = {"mimeType": dict(request["headers"]).get("content-type", ""), "text": request["body"]}
    if "body" in response:
        entry["response"]["content"].update(text=response["body"], size=len(response["body"]))
    return entry


def chrome_entry(exchange):
    """With members of its own, pseudo-headers of HTTP/2, and contents in base64."""
    entry = plain_entry(exchange)
    names = dict(exchange["request"]["headers"])
    entry["request"]["headers"] = [
        {"name": ":authority", "value": names["host"]}, {"name": ":method", "value": exchange["request"]["method"]},
        {"name": ":path", "value": exchange["request"]["target"]}, {"name": ":scheme", "value": "https"},
        *[h for h in entry["request"]["headers"] if h["name"] != "host"]]
    content = entry["response"]["content"]
    if "text" in content:
        content.update(text=base64.b64encode(content["text"].encode()).decode(), encoding="base64", compression=-3)
        entry["response"]["headers"].insert(0, {"name": "content-encoding", "value": "br"})
    entry["timings"].update(blocked=2.1, dns=-1, ssl=-1, connect=-1, _blocked_queueing=1.4)
    return {"_initiator": {"type": "script", "stack": {"callFrames": [{"url": "x", "lineNumber": 3}]}}, "_priority": "High",
            "_resourceType": "fetch", "connection": "443", "pageref": "page_1", **entry, "serverIPAddress": "192.0.2.8"}


def firefox_entry(exchange):
    """Times with a zone, members in another order, comments."""
    entry = plain_entry(exchange)
    entry["startedDateTime"] = iso(exchange["time"], datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    entry["comment"] = "a \"quoted\" } remark ]"
    entry["request"]["comment"] = ""
    return dict(reversed(entry.items()))


def har(path, entries, indent=None, creator="WebInspector"):
    document = {"log": {"version": "1.2", "creator": {"name": creator, "version": "1"}, "pages": [
        {"startedDateTime": iso(1), "id": "page_1", "title": "{", "pageTimings": {"onLoad": 1.5}}], "entries": entries}}
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=indent is None))
    return path


def anonymous(shop, count):
    found = []
    for exchange in shop.many(count):
        for name in ("client", "service", "id"):
            exchange.pop(name)
        found.append(exchange)
    return found


def answered(exchanges):
    """With what the service said: an object with a number, some with a line break in a header's values."""
    seeded = random.Random(5)
    for exchange in exchanges:
        exchange["response"] = {"status": seeded.choice([200, 200, 200, 404]), "latency_ms": seeded.choice([8.82, 0.29, 12]),
                                "headers": [["content-type", "application/json"]],
                                "body": json.dumps({"ok": True, "name": "Zoë", "total": seeded.randrange(1000)})}
    return exchanges


def learn(path, pile, *options, data=None):
    pile.unlink(missing_ok=True)
    done = guard("learn", "--service", "shop", "--as", "1:1:1", "--pile", pile, *options, path, data=data)
    return done, digest(pile)


@pytest.mark.parametrize("entry, indent", [(plain_entry, None), (plain_entry, 4), (chrome_entry, None), (firefox_entry, 1)])
def test_a_har_document_teaches_what_the_same_traffic_in_jsonl_does(tmp_path, entry, indent):
    exchanges = answered(anonymous(Shop(41), 400))
    for exchange in exchanges:
        exchange["request"]["version"] = "HTTP/2.0" if entry is chrome_entry else "HTTP/1.1"
    jsonl = write(tmp_path / "a.jsonl", exchanges)
    document = har(tmp_path / "b.txt", [entry(exchange) for exchange in exchanges], indent)  # its name says nothing
    expected = learn(jsonl, tmp_path / "a.pile")[1]
    done, found = learn(document, tmp_path / "b.pile")
    assert "400 learned, 0 unreadable" in done.out and found == expected
    packed = tmp_path / "c.har.gz"
    packed.write_bytes(gzip.compress(document.read_bytes()))
    assert learn(packed, tmp_path / "c.pile")[1] == expected
    for data in (document.read_bytes(), packed.read_bytes(), b"\xef\xbb\xbf" + document.read_bytes(), jsonl.read_bytes()):
        assert learn("-", tmp_path / "d.pile", data=data)[1] == expected


def test_a_har_document_that_differs_in_one_byte_of_a_value_teaches_something_else(tmp_path):
    exchanges = anonymous(Shop(41), 50)
    first = learn(har(tmp_path / "a.har", [plain_entry(x) for x in exchanges]), tmp_path / "a.pile")[1]
    exchanges[7]["request"]["target"] += "%27"
    assert learn(har(tmp_path / "b.har", [plain_entry(x) for x in exchanges]), tmp_path / "b.pile")[1] != first


def test_what_is_wrong_in_a_har_document_is_named_counted_and_the_rest_learned(tmp_path):
    entries = [plain_entry(x) for x in anonymous(Shop(6), 50)]
    entries[3]["request"].pop("url")
    entries[10]["startedDateTime"] = "yesterday"
    entries[20]["response"]["content"] = {"text": "***", "encoding": "base64"}
    entries.append({**plain_entry(anonymous(Shop(7), 1)[0]), "request": {"method": "GET", "url": "data:text/css,a", "headers": []}})
    entries.append({**plain_entry(anonymous(Shop(7), 1)[0]), "request": {"method": "GET", "url": "wss://a/b", "headers": []}})
    document = har(tmp_path / "bad.har", entries, 1)
    done = guard("learn", "--service", "shop", "--pile", tmp_path / "p.pile", document)
    for number in (4, 11, 21):
        assert re.search(rf"{re.escape(str(document))}:\d+:\d+: entry {number}: unreadable: ", done.err), done.err
    assert "47 learned, 3 unreadable" in done.out and "2 HAR entries left out" in done.out
    lines = document.read_text().splitlines()
    place = int(re.search(r":(\d+):\d+: entry 4: ", done.err)[1])
    assert lines[place - 1].strip() == "{" and "startedDateTime" in lines[place]


@pytest.mark.parametrize("cut, learned, said", [
    (lambda text: text[:len(text) // 2], r"2[45]", "the document ends too early"),
    (lambda text: text.replace("]}}", "}}", 1) if text.endswith("]}}") else text[:-3] + "}}", "50", "bracket"),
    (lambda text: text + "{}", "50", "something follows the document")])
def test_a_damaged_har_document_is_used_as_far_as_it_goes(tmp_path, cut, learned, said):
    document = har(tmp_path / "a.har", [plain_entry(x) for x in anonymous(Shop(6), 50)])
    document.write_text(cut(document.read_text()))
    done = guard("learn", "--service", "shop", "--pile", tmp_path / "p.pile", document)
    assert re.search(rf"^exchanges +{learned} learned, 1 unreadable", done.out, re.M), done.out
    assert said in done.err and f"{document}:1:" in done.err


def write_large(path, *parts):
    """A document whose entries are written one after the other: the memory of this process counts for those it starts."""
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"log":{"entries":[')
        for part, times in parts:
            for _ in range(times):
                file.write(part)
        file.write("]}}")
    return path


def test_a_long_har_document_needs_no_more_memory_than_a_short_one(tmp_path):
    exchanges = answered(anonymous(Shop(8), 60))
    for exchange in exchanges:
        exchange["response"]["body"] = json.dumps({"text": "x" * 50000})
    entries = ",".join(json.dumps(plain_entry(x)) for x in exchanges)
    short = peak_kib("--pile", tmp_path / "a.pile", write_large(tmp_path / "short.har", (entries, 1)))
    long = peak_kib("--pile", tmp_path / "b.pile", write_large(tmp_path / "long.har", (entries + ",", 19), (entries, 1)))
    assert (tmp_path / "long.har").stat().st_size > 50e6 and long < short + 4096, (short, long)


def test_an_entry_beyond_the_maximum_is_left_out(tmp_path):
    entry = json.dumps(plain_entry(anonymous(Shop(6), 1)[0]))
    document = write_large(tmp_path / "a.har", (entry + ',{"_extra":"', 1), ("y" * 65536, 1050), ('"},' + entry, 1))
    done = guard("learn", "--pile", tmp_path / "p.pile", document)
    assert "entry 2: unreadable: larger than 64 MiB" in done.err and "2 learned, 1 unreadable" in done.out


def test_other_services_in_a_har_document_are_left_out_by_host(tmp_path):
    entries = [plain_entry(x) for x in anonymous(Shop(6), 30)]
    for entry in entries[:10]:
        entry["request"]["url"] = "https://ads.example/x"
        entry["request"]["headers"] = []
    entries[11]["request"]["headers"][0]["value"] = "SHOP.example:8443"
    document = har(tmp_path / "a.har", entries)
    assert "several hosts: --host NAME" in guard("learn", "--pile", tmp_path / "a.pile", document).out
    done = guard("learn", "--host", "shop.example", "--pile", tmp_path / "b.pile", document)
    assert "20 learned" in done.out and "10 exchanges with other hosts left out" in done.out and "several" not in done.out


COMBINED = ('$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"')
JSON_FORMAT = ('{"time":"$time_iso8601","msec":$msec,"ip":"$remote_addr","method":"$request_method","uri":"$request_uri",'
               '"protocol":"$server_protocol","status":$status,"took":"$upstream_response_time","agent":"$http_user_agent",'
               '"tenant":"$http_x_tenant","id":"$request_id"}')
PIPES = '$msec|$remote_addr|$http_host|$request|$status|$request_time|$http_user_agent|$http_x_tenant|$sent_http_content_type'


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """One nginx that writes every request in all formats, and what was asked of it."""
    from conftest import EchoServer, Nginx
    folder = tmp_path_factory.mktemp("logs")
    echo = EchoServer()
    nginx = Nginx(folder, f"""
    log_format own '{PIPES}';
    log_format objects escape=json '{JSON_FORMAT}';
    log_format common '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent';
    log_format main '{COMBINED} "$http_x_forwarded_for"';
    access_log {{prefix}}/combined.log;
    access_log {{prefix}}/common.log common;
    access_log {{prefix}}/main.log main;
    access_log {{prefix}}/own.log own;
    access_log {{prefix}}/objects.log objects;
    server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass http://127.0.0.1:{echo.port}; }} }}""", module=None).start()
    asked = [("GET", "/users?username=tom", {}), ("GET", "/users?username=%22x%22", {"User-Agent": 'a "b" \\ c|d'}),
             ("GET", "/n\xc3\xa4me".encode("latin-1").decode("latin-1"), {"X-Tenant": "acme"}), ("POST", "/orders", {"X-Forwarded-For": "203.0.113.9"}),
             ("GET", "/status/404", {}), ("GET", "/search?q=a%27b", {"X-Tenant": "k\xc3\xb6ln"})]
    for method, target, headers in asked:
        options = ["-X", method]
        for name, value in {"User-Agent": "shop-app/1.4", **headers}.items():
            options += ["-H", f"{name}: {value}"]
        if method == "POST":
            options += ["-d", "a=1"]
        assert curl(nginx.url(target), *options).status in (200, 404)
    subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{nginx.port}; printf '\\x16\\x03\\x01\\r\\n\\r\\n' >&3; cat <&3"],
                   stdout=subprocess.DEVNULL, timeout=120, check=False)
    wait_for(lambda: (folder / "objects.log").read_text().count("\n") == len(asked) + 1, "the log lines")
    nginx.stop()
    echo.close()
    return folder, asked


@pytest.mark.parametrize("name, options", [
    ("combined", []), ("combined", ["--log-format", "combined"]), ("common", []), ("main", []), ("own", ["--log-format", PIPES]),
    ("objects", ["--log-format", f"escape=json '{JSON_FORMAT}'"]), ("objects", ["--log-format", f"escape=json {JSON_FORMAT}"])])
def test_access_logs_of_a_real_nginx_are_read(logs, tmp_path, name, options):
    folder, asked = logs
    log = folder / f"{name}.log"
    done = guard("learn", "--service", "shop", "--pile", tmp_path / "p.pile", *options, log)
    assert f"{len(asked)} learned, 0 unreadable" in done.out, (done.out, done.err)
    assert "no bodies were seen" in done.out and "1 log lines without a request" in done.out
    shown = guard("show", "--support", "1", "--pile", tmp_path / "p.pile").out
    assert ("user-agent" in shown) is (name != "common")
    assert ("x-tenant" in shown) is (name in ("own", "objects"))
    assert ("x-forwarded-for" in shown) is (name == "main")
    assert ("host " in shown) is (name == "own")
    clients = re.search(r"^clients +(\d+)", done.out, re.M)
    assert clients and clients[1] == "1" and "no exchange names a client" not in done.out
    packed = gzip.compress(log.read_bytes())
    again = guard("learn", "--service", "shop", "--pile", tmp_path / "q.pile", *options, "-", data=packed)
    assert f"{len(asked)} learned, 0 unreadable" in again.out


def as_jsonl(asked, times, headers_of):
    return [{"time": when, "client": "127.0.0.1", "request": {"method": method, "target": target, "version": "HTTP/1.1",
                                                             "headers": headers_of(headers)},
             "response": {"status": 404 if "404" in target else 200}}
            for (method, target, headers), when in zip(asked, times)]


def test_a_log_teaches_what_jsonl_with_the_same_members_does(logs, tmp_path):
    """Methods, targets with escapes and bytes above 0x7f, user agents with quotes, times, status, client."""
    folder, asked = logs
    times = [datetime.datetime.strptime(re.search(r"\[(.*?)\]", line)[1], "%d/%b/%Y:%H:%M:%S %z").timestamp()
             for line in (folder / "combined.log").read_text().splitlines()][:len(asked)]
    exchanges = as_jsonl(asked, times, lambda headers: [["user-agent", headers.get("User-Agent", "shop-app/1.4")]])
    exchanges = [{**exchange, "unseen": True} for exchange in exchanges]  # of bodies and most headers
    expected = learn(write(tmp_path / "a.jsonl", exchanges), tmp_path / "a.pile")[1]
    assert learn(folder / "combined.log", tmp_path / "b.pile")[1] == expected


def test_malformed_lines_are_named_and_counted(tmp_path, logs):
    lines = (logs[0] / "combined.log").read_text().splitlines()
    lines[2:2] = ["garbage", '127.0.0.1 - - [99/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1 "-" "-"']
    log = tmp_path / "access.log"
    log.write_text("\n".join(lines) + "\n")
    done = guard("learn", "--pile", tmp_path / "p.pile", log)
    assert f"{log}:3: unreadable" in done.err and f"{log}:4: unreadable" in done.err and "2 unreadable" in done.out


def test_a_mixture_of_files_of_all_kinds_is_one_traffic(logs, tmp_path):
    exchanges = anonymous(Shop(9), 20)
    done = guard("learn", "--pile", tmp_path / "p.pile", write(tmp_path / "a", exchanges[:10]),
                 har(tmp_path / "b", [plain_entry(x) for x in exchanges[10:]]), logs[0] / "combined.log")
    assert f"{20 + len(logs[1])} learned, 0 unreadable" in done.out


def test_logs_and_har_documents_are_checked_too(tmp_path):
    shop = Shop(1)
    train = write(tmp_path / "train.jsonl", shop.many(3000))
    guard("learn", "--pile", tmp_path / "shop.pile", "--guardian", tmp_path / "shop.yaml", train)
    attack = shop.exchange("GET", "/users?username=tom%20or%201=1")
    judged = verdicts("--guardian", tmp_path / "shop.yaml", har(tmp_path / "a.har", [plain_entry(attack)]))
    assert [v["verdict"] for v in judged] == ["block"] and judged[0]["findings"][0]["name"] == "username"
    line = f'10.0.0.7 - - [15/Jun/2025:15:00:00 +0000] "GET {attack["request"]["target"]} HTTP/1.1" 200 5 "-" "shop-app/1.4"\n'
    (tmp_path / "access.log").write_text(line)
    judged = verdicts("--guardian", tmp_path / "shop.yaml", tmp_path / "access.log")
    assert [v["verdict"] for v in judged] == ["block"]
    assert "no bodies" in guard("check", "--guardian", tmp_path / "shop.yaml", tmp_path / "access.log").err


@pytest.mark.parametrize("text", ["$status", "$request $", "nonsense", "'$request' '", "$http_a$http_b $request"])
def test_a_wrong_log_format_is_refused_before_anything_is_read(tmp_path, text):
    done = guard("learn", "--log-format", text, "-", status=2)
    assert "--log-format: " in done.err
