"""A server that speaks the protocol of S3, in a process of its own: `pip install s3fs 'moto[server]'`.

A client that is stopped within its request holds up nobody else. Whole requests are answered one after another,
because conditional writes of moto are not atomic between threads. The port is printed.
"""

import logging
from io import BytesIO
from threading import Lock

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

MOTO = DomainDispatcherApplication(create_backend_app)
TURN = Lock()


def answer(environ, start_response):
    length = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
    with TURN:
        return [b"".join(MOTO(environ, start_response))]


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, answer, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()
