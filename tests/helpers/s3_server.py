"""A server that speaks the protocol of S3, in a process of its own: `pip install s3fs 'moto[server]'`.

It answers one request after another, because conditional writes of moto are not atomic between threads. The port is
printed.
"""

import logging

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    print(server.server_port, flush=True)
    server.serve_forever()
