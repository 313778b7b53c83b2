"""A server that speaks the protocol of S3, in a process of its own: `pip install -e '.[s3-test]'`.

A client that is stopped within its request holds up nobody else. Whole requests are answered one after another,
because conditional writes of moto are not atomic between threads. The port is printed.
"""

import logging
from io import BytesIO
from threading import Lock

TURN = Lock()


def in_turn(application):
    """Return an application that reads a whole request before its turn, and answers one at a time."""

    def answer(environ, start_response):
        length = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
        with TURN:
            return [b"".join(application(environ, start_response))]

    return answer


if __name__ == "__main__":
    # Here, as whoever only collects the tests may not have them.
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, in_turn(moto), threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()
