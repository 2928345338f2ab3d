# SPDX-License-Identifier: Apache-2.0
"""The verdict of a real ModSecurity on a request: libmodsecurity by its C interface, without a server around it."""
import ctypes

BASE = """\
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyNoFilesLimit 1048576
SecRule REQUEST_HEADERS:Content-Type "application/json" "id:1,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
"""


class Intervention(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("pause", ctypes.c_int), ("url", ctypes.c_char_p), ("log", ctypes.c_void_p),
                ("disruptive", ctypes.c_int)]


def library():
    """None where it isn't installed."""
    try:
        found = ctypes.CDLL("libmodsecurity.so.3")
    except OSError:
        return None
    for name in ("msc_init", "msc_create_rules_set", "msc_new_transaction"):
        getattr(found, name).restype = ctypes.c_void_p
    return found


class Engine:
    def __init__(self, rules):
        self.library = library()
        self.engine = ctypes.c_void_p(self.library.msc_init())
        self.rules = ctypes.c_void_p(self.library.msc_create_rules_set())
        error = ctypes.c_char_p()
        if self.library.msc_rules_add(self.rules, (BASE + rules).encode(), ctypes.byref(error)) < 0:
            raise ValueError(error.value.decode("latin-1"))

    def stops(self, request):
        """request: {"method", "target", "headers": [(name, value)...], "body"}, all bytes."""
        library_, stopped = self.library, False
        transaction = ctypes.c_void_p(library_.msc_new_transaction(self.engine, self.rules, None))
        library_.msc_process_connection(transaction, b"127.0.0.1", 40000, b"127.0.0.1", 80)
        library_.msc_process_uri(transaction, request["target"], request["method"], b"1.1")
        for name, value in request["headers"]:
            library_.msc_add_n_request_header(transaction, name, len(name), value, len(value))
        library_.msc_process_request_headers(transaction)
        stopped |= self.intervenes(transaction)
        if request["body"]:
            library_.msc_append_request_body(transaction, request["body"], len(request["body"]))
        library_.msc_process_request_body(transaction)
        stopped |= self.intervenes(transaction)
        library_.msc_transaction_cleanup(transaction)
        return stopped

    def intervenes(self, transaction):
        intervention = Intervention(200, 0, None, None, 0)
        self.library.msc_intervention(transaction, ctypes.byref(intervention))
        return intervention.disruptive != 0
