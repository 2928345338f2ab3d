# SPDX-License-Identifier: Apache-2.0
"""What a patch's document means, written down a second time and apart from the product (docs/internals/patches.md), for requests
whose parts are known because they were put together here."""
import fnmatch
import html
import json
import re
import urllib.parse


def percent(text):
    text = re.sub(rb"%u00([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text)
    return urllib.parse.unquote_to_bytes(text)


def decodings(text):
    """One step of each further decoding."""
    yield percent(text)
    yield percent(text.replace(b"+", b" "))
    yield html.unescape(text.decode("latin-1")).encode("latin-1", "ignore")
    yield re.sub(rb"\\x([0-9A-Fa-f]{2})|\\u00([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1] or found[2], 16)]), text)
    yield text.replace(b"\0", b"")


def forms(text):
    found, fresh = {text}, [text]
    for _ in range(4):
        fresh = [form for old in fresh for form in decodings(old) if form not in found]
        found.update(fresh)
    return found


def pairs(text):
    """name=value&name=value as [(name, value, value as sent)]."""
    out = []
    for pair in filter(None, text.split(b"&")):
        name, _, value = pair.partition(b"=")
        out.append((percent(name.replace(b"+", b" ")), percent(value.replace(b"+", b" ")), value))
    return out


def leaves(value, name=""):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member, name + "[]")
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        yield name.encode(), text.encode(), text.encode()


def values(request, place):
    """[(name, text, raw)] of a place."""
    target, body = request["target"], request["body"]
    path, _, query = target.partition(b"?")
    kind = dict((name.lower(), value) for name, value in request["headers"]).get(b"content-type", b"")
    if place == "header":
        return [(name.lower(), value, value) for name, value in request["headers"] if name.lower() != b"cookie"]
    if place == "cookie":
        cookies = [value for name, value in request["headers"] if name.lower() == b"cookie"]
        out = [pair.partition(b"=") for cookie in cookies for pair in cookie.split(b"; ")]
        return [(name, percent(value), value) for name, _, value in out]
    return {"method": lambda: [(b"", request["method"], request["method"])],
            "path": lambda: [(b"", percent(path), path)],
            "target": lambda: [(b"", percent(target), target)],
            "query": lambda: pairs(query),
            "form": lambda: pairs(body) if kind == b"application/x-www-form-urlencoded" else [],
            "json": lambda: list(leaves(json.loads(body))) if kind == b"application/json" else [],
            "body": lambda: [(b"", body, body)] if body else []}.get(place, list)()


def listed(value):
    return value if isinstance(value, list) else [value]


def whole(text):
    return int(text) if re.fullmatch(rb"[+-]?[0-9]+", text) else None


def between(number, bounds):
    return number is not None and bounds.get("min", number) <= number <= bounds.get("max", number)


def in_scope(request, condition):
    patterns = [name.encode() for name in listed(condition.get("names", []))]
    for place in listed(condition["in"]):
        for name, text, raw in values(request, place):
            if not patterns or any(fnmatch.fnmatchcase(name.decode("latin-1"), pattern.decode().replace("[", "[[]"))
                                   for pattern in patterns):
                yield (name, name) if condition.get("of") == "name" else (text, raw)


def one_holds(condition, value):
    lower = condition.get("ignoreCase", False)
    texts = {}
    for operator in ("contains", "equals", "begins", "ends"):
        texts[operator] = [text.encode("latin-1") for text in listed(condition.get(operator, []))]
    if lower:
        texts = {operator: [text.lower() for text in list_] for operator, list_ in texts.items()}
    folded = value.lower() if lower else value
    if "regex" in condition:
        expression = condition["regex"].encode("latin-1")
        expression = re.sub(rb"(?<!\\)\$", rb"\\Z", expression)
        expression = expression.replace(rb"[[:alpha:]]", rb"[A-Za-z]")
        return re.search(expression, value, re.DOTALL | (re.IGNORECASE if lower else 0)) is not None
    if "charset" in condition:
        return re.search(b"[^" + condition["charset"].encode("latin-1") + b"]", value, re.DOTALL) is not None
    if "length" in condition:
        return between(len(value), condition["length"])
    if "range" in condition:
        return between(whole(value), condition["range"])
    return (any(text in folded for text in texts["contains"]) or folded in texts["equals"] or
            any(folded.startswith(text) for text in texts["begins"]) or any(folded.endswith(text) for text in texts["ends"]))


def holds(request, condition):
    if "all" in condition:
        return all(holds(request, child) for child in condition["all"])
    if "any" in condition:
        return any(holds(request, child) for child in condition["any"])
    if "not" in condition:
        return not holds(request, condition["not"])
    found = list(in_scope(request, condition))
    if "present" in condition:
        return bool(found) == condition["present"]
    if "count" in condition:
        return between(len(found), condition["count"])
    view = condition.get("view", "decoded")
    for text, raw in found:
        if any(one_holds(condition, form) for form in (forms(text) if view == "decoded" else [raw if view == "raw" else text])):
            return True
    return False
