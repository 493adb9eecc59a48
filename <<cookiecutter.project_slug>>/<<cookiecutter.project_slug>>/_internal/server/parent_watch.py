"""End the service with its parent, the file watcher of `make dev`."""

import os
import signal
import threading
import time


def stop_with_parent(interval: float = 0.5) -> None:
    """Send SIGTERM to this process when its parent has ended.

    watchfiles stops its child on SIGTERM and SIGINT only. After any other signal the service would
    stay alive and keep its port. On Windows it does: there the id of a parent never changes.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stop_with_parent", daemon=True).start()
