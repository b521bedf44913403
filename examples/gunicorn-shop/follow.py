"""follow.py PRIMARY REPLICA: keeps a replica's copy a moment behind the primary, and tells Weir what changed in it."""

import logging
import os
import sys
import time

import database
import weir

EACH_SECONDS = 0.2


def main(primary: str, replica: str) -> None:
    parent = os.getppid()
    known = database.copy(primary, replica)
    # Ends with whoever started it.
    while os.getppid() == parent:
        time.sleep(EACH_SECONDS)
        try:
            versions = database.copy(primary, replica)
            changed = [number for number, version in versions.items() if known.get(number) != version]
            if changed:
                # A page that was made of the old copy meanwhile is not to be kept.
                weir.purge("products", *(f"product-{number}" for number in changed))
            known = versions
        except Exception:
            logging.exception("the copy is not up to date")


if __name__ == "__main__":
    main(*sys.argv[1:])
