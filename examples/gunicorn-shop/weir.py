"""Tells Weir what changed, over its admin listener."""

import http.client
import json
import os
import socket

ADMIN = os.environ.get("WEIR_ADMIN", "run/admin.sock")


class Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(ADMIN)


def purge(*tags: str) -> None:
    """Returns once nothing with one of these tags is served from a cache any more."""
    for tag in tags:
        connection = Connection("weir", timeout=5)
        try:
            connection.request("POST", "/v1/purge", json.dumps({"tag": tag}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise OSError(f"purge of {tag}: {answer.status} {said!r}")
        finally:
            connection.close()
