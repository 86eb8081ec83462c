"""A server of FTP for tests: ftp.py plain|list|tls PORT FOLDER [CERTIFICATE]

`list` knows no commands that were made for programs, as older servers do. `tls` lets nobody in without it.
"""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

way, port, folder, *certificate = sys.argv[1:]
authorizer = DummyAuthorizer()
authorizer.add_user("loom", "open-sesame", folder, perm="elradfmwMT")


class Plain(FTPHandler):
    pass


class Secured(TLS_FTPHandler):
    certfile = certificate[0] if certificate else None
    tls_control_required = True
    tls_data_required = True


handler = Secured if way == "tls" else Plain
handler.authorizer = authorizer
if way == "list":
    handler.proto_cmds = {name: known for name, known in FTPHandler.proto_cmds.items() if name not in ("EPSV", "MLSD", "MLST")}
FTPServer(("127.0.0.1", int(port)), handler).serve_forever()
