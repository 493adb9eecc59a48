"""Run Bugsink on this machine, which takes events as Sentry does: `make sentry`.

It serves until Ctrl+C and keeps its data in `.sentry`. `uv run` puts its programs on the PATH.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".sentry").absolute()
PORT = os.environ.get("BUGSINK_PORT") or "8090"
SETTINGS = f"""
BUGSINK["PHONEHOME"] = False
BUGSINK["INGEST_STORE_BASE_DIR"] = {str(FOLDER / "ingestion")!r}
"""
# It listens on this machine only, so that the password can be known.
SET_UP = """
from django.contrib.auth import get_user_model
from django.core.management import call_command
from projects.models import Project
call_command("migrate", verbosity=0)
call_command("migrate", "snappea", database="snappea", verbosity=0)
users = get_user_model().objects
users.exists() or users.create_superuser("admin", "", "admin")
print(Project.objects.get_or_create(name="service")[0].dsn)
"""


def main() -> int:
    """Serve until a signal comes; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    FOLDER.mkdir(exist_ok=True)
    address = f"127.0.0.1:{PORT}"
    dsn = set_up()
    print(f"Bugsink is on http://{address} for the user admin with the password admin.")
    print("In a second terminal, or with the variable in .env:\n")
    print(f"  SENTRY_DSN={dsn} make dev\n", flush=True)
    # Otherwise it makes a folder in the user's home.
    options = ("--no-control-socket", "--bind", address)
    server = subprocess.Popen(["gunicorn", *options, "bugsink.wsgi"], cwd=FOLDER)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        print(f"\nThe events are in {FOLDER}; remove that folder to forget them.")
        return 0


def set_up() -> str:
    """Create the databases, a user and a project if they are missing; return the project's DSN.

    A newer version of Bugsink changes the databases of an older one.
    """
    (FOLDER / "bugsink_conf.py").unlink(missing_ok=True)  # it has the port of the last start
    run("bugsink-create-conf", "--template", "local", "--host", "127.0.0.1", "--port", PORT)
    with (FOLDER / "bugsink_conf.py").open("a") as settings:
        settings.write(SETTINGS)
    return run("bugsink-manage", "shell", "-c", SET_UP).split()[-1]


def run(program: str, *words: str) -> str:
    """Run a program of Bugsink and return its output."""
    done = subprocess.run(
        [program, *words], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{program} failed: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before it serves
        sys.exit(130)
