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
# It listens on this machine only.
USER = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "admin"}
SETTINGS = f"""
BUGSINK["PHONEHOME"] = False
BUGSINK["INGEST_STORE_BASE_DIR"] = {str(FOLDER / "ingestion")!r}
"""
PROJECT = "from projects.models import Project; print(Project.objects.create(name='service').dsn)"


def main() -> int:
    """Serve until a signal comes; return the exit code."""
    FOLDER.mkdir(exist_ok=True)
    dsn = FOLDER / "dsn"
    if not dsn.exists():
        dsn.write_text(set_up())
    address = dsn.read_text().partition("@")[2].partition("/")[0]
    print(f"Bugsink is on http://{address} for the user admin with the password admin.")
    print("In a second terminal, or with the variable in .env:\n")
    print(f"  SENTRY_DSN={dsn.read_text()} make dev\n", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
    """Create the databases, a user and a project; return the project's DSN."""
    for name in ("bugsink_conf.py", "db.sqlite3", "snappea.sqlite3"):
        (FOLDER / name).unlink(missing_ok=True)  # from an interrupted run
    run("bugsink-create-conf", "--template", "local", "--host", "127.0.0.1", "--port", PORT)
    with (FOLDER / "bugsink_conf.py").open("a") as settings:
        settings.write(SETTINGS)
    run("bugsink-manage", "migrate")
    run("bugsink-manage", "migrate", "snappea", "--database=snappea")
    run("bugsink-manage", "createsuperuser", "--no-input", "--email", "")
    return run("bugsink-manage", "shell", "-c", PROJECT).split()[-1]


def run(program: str, *words: str) -> str:
    """Run a program of Bugsink and return its output."""
    done = subprocess.run(
        [program, *words],
        cwd=FOLDER,
        env=os.environ | USER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{program} failed: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
