"""gunicorn: a few threads each, connections that stay open, and a copy of the database that follows the primary's."""

import os
import subprocess
import sys

import database

worker_class = "gthread"
workers = int(os.environ.get("SHOP_WORKERS", "1"))
threads = int(os.environ.get("SHOP_THREADS", "4"))
# Longer than Weir keeps a connection that nobody uses (`connections.idle`), so that it is not closed under a request.
keepalive = 75
graceful_timeout = 10
errorlog = "-"
loglevel = "warning"


def on_starting(server) -> None:
    here = os.environ["SHOP_DATABASE"]
    if os.environ.get("SHOP_ROLE", "primary") == "primary":
        database.make(here)
        return
    primary = os.environ["SHOP_PRIMARY"]
    database.copy(primary, here)
    server.follower = subprocess.Popen([sys.executable, "follow.py", primary, here])


def on_exit(server) -> None:
    follower = getattr(server, "follower", None)
    if follower:
        follower.terminate()
        follower.wait()
