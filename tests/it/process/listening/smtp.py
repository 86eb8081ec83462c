"""A mail server that keeps letters: smtp.py PORT FOLDER PLAIN|TLS CERTIFICATE KEY

It lets in ann with open-sesame, takes nothing for nobody@, and writes each letter with its envelope into FOLDER.
"""

import asyncio
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Keeps:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "letter": envelope.content.decode("utf8", "replace")}
        letter["secured"] = session.ssl is not None
        fresh = self.folder / f".{self.count}"
        fresh.write_text(json.dumps(letter))
        fresh.rename(self.folder / f"{self.count}.json")
        self.count += 1
        return "250 kept"


def let_in(server, session, envelope, mechanism, data):
    # What is not handled here is refused by the server in its own words.
    return AuthResult(success=(data.login, data.password) == (b"ann", b"open-sesame"), handled=False)


async def main(port, folder, kind, certificate, key):
    context = None
    if kind == "TLS":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    keeps = Keeps(folder)

    def serve():
        return SMTP(keeps, authenticator=let_in, auth_required=True, auth_require_tls=kind == "TLS",
                    require_starttls=kind == "TLS", tls_context=context)

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", int(port))
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
