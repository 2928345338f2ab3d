# SPDX-License-Identifier: Apache-2.0
"""Reads OpenAPI 3.1 documents as tools do that know nothing of Guard: is a document valid, and is an exchange by its schemas? Written
for tests: Debian has no package that does it."""

import email.parser
import email.policy
import json
import pathlib
import urllib.parse

import jsonschema

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data" / "openapi-3.1.schema.json").read_text())
FORMATS = jsonschema.FormatChecker(["date", "email", "ipv4", "ipv6", "uuid"])
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def resolved(document, node):
    if "$ref" not in node:
        return node
    for part in node["$ref"].removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def schemas_of(node):
    """All schema objects below, wherever they stand."""
    if isinstance(node, dict):
        for name, child in node.items():
            if name == "schema":
                yield child
            else:
                yield from schemas_of(child)
    elif isinstance(node, list):
        for child in node:
            yield from schemas_of(child)


def complaints(document):
    """Why the document isn't one of OpenAPI 3.1: by the specification's own schema, and by what it says in words."""
    found = [f"{list(error.path)}: {error.message[:200]}" for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]
    for schema in schemas_of(document):
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            found.append(f"schema: {error.message[:200]}")
    forms = [tuple("{}" if part.startswith("{") else part for part in path.split("/")) for path in document["paths"]]
    found += [f"{form}: the same path twice" for form in set(forms) if forms.count(form) > 1]
    for path, item in document["paths"].items():
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for method in METHODS:
            if method not in item:
                continue
            parameters = [resolved(document, each) for each in item.get("parameters", []) + item[method].get("parameters", [])]
            if {each["name"] for each in parameters if each["in"] == "path"} != named:
                found.append(f"{method} {path}: path parameters don't agree")
            own = [(each["in"], each["name"]) for each in item[method].get("parameters", [])]
            if len(own) != len(set(own)):
                found.append(f"{method} {path}: one parameter twice")
    return found


def typed(schema, text):
    """A text of a message as the value that its schema speaks of."""
    try:
        if schema.get("type") == "integer":
            return int(text)
        if schema.get("type") == "number":
            return float(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text, text) if schema.get("type") == "boolean" else text


def errors(schema, value, where):
    checker = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    return [f"{where}: {error.message[:160]}" for error in checker.iter_errors(value)]


class Reader:
    def __init__(self, document):
        self.document = document

    def find(self, method, path):
        """(path item, operation, path parameters); the most literal one."""
        best = None
        parts = path.split("/")
        for key, item in self.document["paths"].items():
            keys = key.split("/")
            if len(keys) != len(parts) or method.lower() not in item:
                continue
            taken = {k[1:-1]: urllib.parse.unquote(p) for k, p in zip(keys, parts) if k.startswith("{")}
            if all(k.startswith("{") or urllib.parse.unquote(k) == urllib.parse.unquote(p) for k, p in zip(keys, parts)):
                if best is None or len(taken) < len(best[2]):
                    best = (item, item[method.lower()], taken)
        return best

    def values(self, parameter, pairs):
        """All values of a parameter as its schema wants them; None when there is none."""
        found = [value for name, value in pairs if name == parameter["name"]]
        if not found:
            return None
        schema = parameter["schema"]
        if schema.get("type") == "array":
            return [typed(schema["items"], each) for each in found]
        return typed(schema, found[0])

    def request(self, exchange):
        """What of the request isn't by the document."""
        request = exchange["request"]
        path, _, query = request["target"].partition("?")
        found = self.find(request["method"], path)
        if found is None:
            return [f"{request['method']} {path}: no such operation"]
        item, operation, taken = found
        headers = [(name.lower(), value) for name, value in request["headers"]]
        cookies = [tuple(pair.strip().split("=", 1)) for name, value in headers if name == "cookie" for pair in value.split(";")]
        pairs = {"query": urllib.parse.parse_qsl(query, keep_blank_values=True), "path": list(taken.items()), "header": headers,
                 "cookie": cookies}
        wrong = []
        known = set()
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            parameter = resolved(self.document, parameter)
            known.add((parameter["in"], parameter["name"]))
            value = self.values(parameter, pairs[parameter["in"]])
            if value is not None:
                wrong += errors(parameter["schema"], value, f"{parameter['in']} {parameter['name']}")
            elif parameter.get("required"):
                wrong.append(f"{parameter['in']} {parameter['name']}: missing")
        wrong += [f"query {name}: unknown" for name, _ in pairs["query"] if ("query", name) not in known]
        if request.get("body"):
            wrong += self.body(operation.get("requestBody", {}).get("content", {}), dict(headers), request["body"])
        elif operation.get("requestBody", {}).get("required"):
            wrong.append("body: missing")
        return wrong

    def response(self, exchange):
        request, response = exchange["request"], exchange["response"]
        found = self.find(request["method"], request["target"].partition("?")[0])
        if found is None:
            return ["no such operation"]
        responses = found[1]["responses"]
        status = str(response["status"])
        answer = responses.get(status) or responses.get(status[0] + "XX")
        if answer is None:
            return [f"status {status}: unknown"]
        answer = resolved(self.document, answer)
        headers = {name.lower(): value for name, value in response.get("headers", [])}
        wrong = []
        for name, header in answer.get("headers", {}).items():
            header = resolved(self.document, header)
            if name in headers:
                wrong += errors(header["schema"], typed(header["schema"], headers[name]), f"header {name}")
            elif header.get("required"):
                wrong.append(f"header {name}: missing")
        if response.get("body"):
            wrong += self.body(answer.get("content", {}), headers, response["body"])
        return wrong

    def body(self, content, headers, body):
        media = headers.get("content-type", "*/*").split(";")[0].strip()
        if media not in content:
            return [f"body: media type {media}"]
        schema = content[media]["schema"]
        if media.endswith("json"):
            return errors(schema, json.loads(body), "body")
        if media == "application/x-www-form-urlencoded":
            return errors(schema, self.form(schema, urllib.parse.parse_qsl(body, keep_blank_values=True)), "form")
        if media == "multipart/form-data":
            text = f"content-type: {headers['content-type']}\n\n{body}".replace("\r\n", "\n")
            parts = email.parser.Parser(policy=email.policy.default).parsestr(text).iter_parts()
            pairs = [(part.get_param("name", header="content-disposition"), part.get_content().rstrip("\n")) for part in parts]
            return errors(schema, self.form(schema, pairs), "multipart")
        return errors(schema, body, "body")

    def form(self, schema, pairs):
        return {name: self.values({"name": name, "schema": schema["properties"].get(name, {})}, pairs) for name, _ in pairs}
