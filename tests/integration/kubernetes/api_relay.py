# SPDX-License-Identifier: Apache-2.0
"""A network between one client and the API server: it writes down what passes, holds back what is named, and stands still when it is told
to. What stood still comes through later, as what TCP sends again does, or is lost with its connection. Run by itself it is the relay, in the cluster's network; by Relay
tests steer it, by files in its folder."""

import http.client
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve()
PAUSE_S = 0.05
SHOWN = 400  # characters of an answer


class Relay:
    """Starts one. `kubeconfig` is the client's, written again as one by the relay."""

    def __init__(self, cluster, folder, kubeconfig):
        import yaml
        from harness import end_process, wait_for
        self.folder, self.end_process, self.wait_for = folder, end_process, wait_for
        folder.mkdir(parents=True)
        self.process = subprocess.Popen(cluster.command(sys.executable, HERE, folder, cluster.folder / "pki"), env=cluster.env)
        port = wait_for(lambda: (folder / "port").exists() and (folder / "port").read_text(), "the relay to listen")
        config = yaml.safe_load(kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        config["users"][0]["user"]["tokenFile"] = str(kubeconfig.parent / "token")
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def passed(self, method="", part=""):
        """What came to the server and was answered, in that order."""
        lines = (self.folder / "passed").read_text().splitlines() if (self.folder / "passed").exists() else []
        return [one for one in map(json.loads, lines) if one["method"].startswith(method) and part in one["path"]]

    def cut(self):
        (self.folder / "lost").unlink(missing_ok=True)
        (self.folder / "cut").touch()

    def heal(self, lost=False):
        """lost: connections that something stood still in end, and that never comes."""
        if lost:
            (self.folder / "lost").touch()
        (self.folder / "cut").unlink(missing_ok=True)

    def hold(self, method, part, what="request"):
        """Requests of that method whose path has that part, or what the server answered to them, until release()."""
        fresh = self.folder / "hold.new"
        fresh.write_text(f"{what} {method} {part}")
        fresh.rename(self.folder / "hold")

    def held(self):
        return (self.folder / "held").read_text().splitlines() if (self.folder / "held").exists() else []

    def release(self):
        for name in ("hold", "held"):
            (self.folder / name).unlink(missing_ok=True)

    def slow(self, seconds):
        """All that passes comes so much later."""
        fresh = self.folder / "slow.new"
        fresh.write_text(str(seconds))
        fresh.rename(self.folder / "slow")

    def stop(self):
        self.end_process(self.process)


# --- the relay itself ---

class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = pki = None

    def log_message(self, *_):
        pass

    def wait_while_cut(self):
        stood = False
        while (self.folder / "cut").exists():
            stood = True
            time.sleep(PAUSE_S)
        if stood and (self.folder / "lost").exists():
            raise ConnectionResetError

    def is_held(self, what):
        try:
            held, method, part = (self.folder / "hold").read_text().split(" ", 2)
        except FileNotFoundError:
            return False
        return what == held and self.command == method and part in self.path

    def wait_while_held(self, what):
        if self.is_held(what):
            self.note("held", f"{what} {self.command} {self.path}")
        while self.is_held(what):
            time.sleep(PAUSE_S)

    def note(self, name, line):
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(line + "\n")  # one write of a line that is short: whole

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if (self.folder / "slow").exists():
            time.sleep(float((self.folder / "slow").read_text()))
        self.wait_while_held("request")
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        server = http.client.HTTPSConnection("127.0.0.1", 443, context=context)
        try:
            self.wait_while_cut()
            server.request(self.command, self.path, body or None, {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length", "connection")})
            answer = server.getresponse()
            self.give_back(answer, body)
        except (OSError, http.client.HTTPException):  # the server may be killed within an answer
            self.close_connection = True
        finally:
            server.close()

    def give_back(self, answer, body):
        piece = answer.read1(65536)
        self.note("passed", json.dumps({"at": time.monotonic(), "method": self.command, "path": self.path, "status": answer.status,
                                        "body": body.decode(errors="replace"), "answer": piece[:SHOWN].decode(errors="replace")}))
        self.wait_while_held("answer")
        self.wait_while_cut()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() in ("content-type", "retry-after"):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece:
            self.wait_while_cut()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            piece = answer.read1(65536)
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def finish_request(self, request, client_address):
        """The handshake is the connection's own thread's matter."""
        try:
            wrapped = self.context.wrap_socket(request, server_side=True)
            self.RequestHandlerClass(wrapped, client_address, self)
        except OSError:
            pass


def main():
    Passing.folder, Passing.pki = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    Server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    Server.context.load_cert_chain(Passing.pki / "apiserver.crt", Passing.pki / "apiserver.key")
    server = Server(("127.0.0.1", 0), Passing)
    fresh = Passing.folder / "port.new"
    fresh.write_text(str(server.server_address[1]))
    fresh.rename(Passing.folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
