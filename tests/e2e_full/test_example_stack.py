"""The to-do application's whole stack with MariaDB, tested from outside over verified TLS.

The tests share one stack and run in this order.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import bugsink
from tests.e2e.bugsink import Bugsink
from tests.e2e.receivers import HOOK, Mail, Receiver, Slack
from tests.e2e.stack import Container, Stack, need_engine, until
from tests.e2e.test_monitoring_stack import shorten
from tests.e2e_full.visitors import API, ROUND, VISITORS, Load, task, visit
from tests.renders import TEMPLATE, run

ROUNDS = 5
DATABASE = "mariadb:11"
INSTANCES = 2
OUTAGE = 10  # seconds
NEW_MIGRATION = '''"""A column of a test."""

import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = "{newest}"


def upgrade() -> None:
    """Add the column."""
    op.add_column("tasks", sa.Column("note", sa.String(30), nullable=True))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("tasks", "note")
'''


class OpenMail(Mail):
    """A mail server without a password: Alertmanager sends none unencrypted, except on loopback."""

    welcome = True


@dataclass
class Todo:
    """The stack and what it reports to."""

    stack: Stack
    bugsink: Bugsink
    slack: Receiver
    mail: Receiver
    first_up: str  # the output of the first `make up`

    def sql(self, statements: str) -> list[list[str]]:
        """Run statements as the database's administrator and return the rows."""
        client = (
            "MYSQL_PWD=$(cat $MARIADB_ROOT_PASSWORD_FILE) exec mariadb --user=root --batch"
            " --skip-column-names --default-character-set=utf8mb4 todo"
        )
        words = ("docker", "compose", "exec", "-T", "database", "sh", "-c", client)
        done = run(*words, cwd=self.stack.project, env=self.stack.environment, typed=statements)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def load(self, name: str) -> Load:
        """Return a load of requests."""
        return Load(self.stack.url, self.stack.tls(), name)

    def instances(self) -> list[Container]:
        """Return the service's containers."""
        return self.stack.containers("app")

    def inside(self, container: Container, address: str) -> httpx.Response:
        """Request an instance on the stack's own network; the address begins with the port."""
        networks = container.inspected["NetworkSettings"]["Networks"]
        name = f"{self.stack.environment['COMPOSE_PROJECT_NAME']}_backend"
        return httpx.get(
            f"http://{networks[name]['IPAddress']}:{address}", timeout=20, trust_env=False
        )

    def readiness(self) -> set[int]:
        """Return the statuses with which the instances answer their readiness probe."""
        return {self.inside(one, "8000/health/ready").status_code for one in self.instances()}

    def connections(self, state: str) -> list[float]:
        """Return the number of each instance's connections to the database."""
        pattern = rf'^database_connections{{state="{state}"}} (\S+)$'
        texts = [self.inside(one, "9464/metrics").text for one in self.instances()]
        return [float(number) for text in texts for number in re.findall(pattern, text, re.M)]

    def errors(self) -> list[dict[str, Any]]:
        """Return the service's ERROR lines."""
        return [line for line in self.stack.log("app") if line["level"] == "ERROR"]


def need_image(name: str) -> None:
    """Skip the test without an image that cannot be pulled."""
    for words in (["image", "inspect"], ["pull", "--quiet"]):
        if not subprocess.run(
            ["docker", *words, name], capture_output=True, check=False
        ).returncode:
            return
    pytest.skip(f"no image {name} (images)")


@pytest.fixture(scope="module")
def todo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Todo]:
    """The stack, started, then configured to report to local receivers, with two instances."""
    need_engine()
    need_image(DATABASE)
    folder = tmp_path_factory.mktemp("example")
    made = run(sys.executable, TEMPLATE / "make_example.py", folder, cwd=TEMPLATE)
    assert made.returncode == 0, made.stderr
    stack = Stack(folder / "todo")
    with ExitStack() as ends:
        ends.callback(stack.remove)
        first_up = make_up(stack)
        server = ends.enter_context(bugsink.serve(stack.gateway("backend")))
        host = stack.gateway("monitoring_pages")
        slack, mail = (ends.enter_context(Receiver(one, host)) for one in (Slack, OpenMail))
        send_alerts(stack.project / "monitoring", host, slack.port, mail.port)
        (stack.project / ".env").write_text(
            f"SENTRY_DSN={server.dsn}\nDATABASE_SLOW=0\nOVERDUE_INTERVAL=0.5\n"
            "DATABASE_URL=mysql+aiomysql://me@localhost/mine\nDATABASE_PASSWORD=of-make-dev\n"
        )
        stack.up()
        scale(stack)
        yield Todo(stack, server, slack, mail, first_up)


def make_up(stack: Stack) -> str:
    """Run `make up` and return its output."""
    done = run("make", "up", cwd=stack.project, env=stack.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def scale(stack: Stack) -> None:
    """Start the second instance."""
    words = ("--detach", "--wait", "--no-recreate", "--scale", f"app={INSTANCES}")
    stack.compose("up", *words)


def send_alerts(monitoring: Path, host: str, slack: int, mail: int) -> None:
    """Let Alertmanager send to local receivers, and shorten every duration."""
    shorten(monitoring)
    change(monitoring / "tasks.yml", "for: 5m", "for: 1s")
    configuration = monitoring / "alertmanager.yml"
    change(configuration, "localhost:587", f"{host}:{mail}")
    change(configuration, "global:\n", "global:\n  smtp_require_tls: false\n")
    text = configuration.read_text("utf-8")
    configuration.write_text(re.sub(r"  smtp_auth_.*\n", "", text), "utf-8")
    (monitoring / "secrets").mkdir()
    (monitoring / "secrets/slack_url").write_text(f"http://{host}:{slack}{HOOK}")


def change(path: Path, text: str, instead: str) -> None:
    """Replace a text that a file must have."""
    old = path.read_text("utf-8")
    assert text in old
    path.write_text(old.replace(text, instead), "utf-8")


def test_smoke(todo: Todo) -> None:
    """`make smoke` passes: pages and API at the root, probes and metrics hidden."""
    assert f"{todo.stack.url}: " in todo.stack("make", "-s", "smoke")


UPGRADE = "Running upgrade"  # begins the line of a migration


def test_migrations_run_once(todo: Todo) -> None:
    """The first `make up` runs each migration once; no instance runs any, nor does a second one."""
    versions = todo.stack.project / "todo/migrations/versions"
    assert todo.first_up.count(UPGRADE) == len([*versions.glob("*.py")]) > 1
    assert UPGRADE not in todo.stack.compose("logs", "app", "migrate")
    assert todo.stack.container("migrate").inspected["State"]["ExitCode"] == 0
    assert len(todo.instances()) == INSTANCES


def test_database_is_closed(todo: Todo) -> None:
    """The database publishes nothing, is on one internal network and has no privileges."""
    database = todo.stack.container("database").inspected
    [network] = database["NetworkSettings"]["Networks"]
    assert json.loads(todo.stack("docker", "network", "inspect", network))[0]["Internal"]
    assert not any(database["NetworkSettings"]["Ports"].values())
    host = database["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert todo.stack.compose("exec", "-T", "database", "id", "-u").strip() == "999"
    assert {"utf8mb4", "+00:00"} <= {*todo.sql("SELECT @@character_set_server, @@time_zone")[0]}
    # No container has a password in its settings.
    shown = [one.inspected for name in ("app", "migrate", "database")
             for one in todo.stack.containers(name)]  # fmt: skip
    assert not any(password in json.dumps(shown) for password in passwords(todo))


def passwords(todo: Todo) -> list[str]:
    """Return the passwords that `make up` made."""
    texts = [path.read_text().strip() for path in (todo.stack.project / "secrets").iterdir()]
    assert len({text for text in texts if len(text) > 20}) == 2
    return texts


def test_two_thousand_requests(todo: Todo) -> None:
    """Pages, forms, downloads, JSON and mistakes of 16 clients get the expected responses."""
    visitors = visit(todo.stack.url, todo.stack.tls(), ROUNDS)
    assert [wrong for visitor in visitors for wrong in visitor.wrong] == []
    ids = [one for visitor in visitors for one in visitor.ids]
    assert len({*ids}) == len(ids) == VISITORS * ROUNDS * ROUND == 2000
    # Each request has one line, in the log of the instance that served it.
    served = [{*request_ids(container)} & {*ids} for container in todo.instances()]
    assert sum(map(len, served)) == len(ids)
    assert min(map(len, served)) > 0
    # The database has what was written, and nothing else.
    stored = {title: state for visitor in visitors for title, state in visitor.stored.items()}
    rows = todo.sql(
        "SELECT title, IF(is_disabled, 'deleted', IF(completed_at, 'completed', 'open')) FROM tasks"
    )
    assert {row[0]: row[1] for row in rows} == stored
    assert len(rows) == len(stored)
    until(lambda: todo.connections("in use") == [0.0] * INSTANCES)


def request_ids(container: Container) -> list[str]:
    """Return the ids of the requests that an instance has logged as ended."""
    lines = map(json.loads, container.log())
    return [line["request_id"] for line in lines if "status_code" in line]


def test_one_id(todo: Todo) -> None:
    """Caddy's line, the request line, its statements and the event of a failure have one id."""
    with todo.stack.client() as client:
        # The first statement of the list succeeds, the second one fails.
        todo.sql("RENAME TABLE priorities TO elsewhere")
        response = client.get(API, headers={"X-Request-ID": "followed"})
        todo.sql("RENAME TABLE elsewhere TO priorities")
    assert (response.status_code, response.headers["x-request-id"]) == (500, "followed")
    assert todo.stack.line("caddy", "followed")["status"] == 500
    line = todo.stack.line("app", "followed")
    assert (line["level"], line["path_with_query"]) == ("ERROR", API)
    assert "'todo.priorities' doesn't exist" in line["exception"]
    mine = [line for line in todo.stack.log("app") if line.get("request_id") == "followed"]
    [slow] = [line for line in mine if line["message"] == "slow statement"]
    assert "count(*)" in slow["statement"]
    event = until(lambda: todo.bugsink.event_of("followed"), 30)
    assert "doesn't exist" in json.dumps(event["exception"])
    assert not any(password in json.dumps(event) for password in passwords(todo))


def test_alert(todo: Todo) -> None:
    """Slack and e-mail learn how many tasks of each priority are overdue, and when none is."""
    with todo.stack.client() as client:
        for number, priority in enumerate((1, 1, 1, 3)):
            made = client.post(API, json=task(f"late {number}", priority))
            assert made.status_code == 201
        # The day passes.
        todo.sql("UPDATE tasks SET due_date = '2020-01-01' WHERE title LIKE 'late %'")
        texts = ("3 overdue tasks with priority High", "1 overdue task with priority Low")
        for told in (
            todo.slack.wait_for("FIRING: TasksOverdue (warning)"),
            todo.mail.wait_for("FIRING: TasksOverdue"),
        ):
            assert all(text in told for text in texts)
            assert "Complete them, or give them another due date" in told
            assert "Normal" not in told
        for late in client.get(f"{API}?status=todo&limit=4").json()["items"]:
            assert client.put(f"{API}/{late['id']}/completed").json()["title"].startswith("late")
        assert "priority High" in todo.slack.wait_for("RESOLVED: TasksOverdue")
        assert "priority High" in todo.mail.wait_for("RESOLVED: TasksOverdue")


def test_outage(todo: Todo) -> None:
    """Without its database the service says 503, in one ERROR line; then it serves as before."""
    before = [one.inspected["State"]["StartedAt"] for one in todo.instances()]
    with todo.load("outage 😀") as load:
        began = time.monotonic()
        todo.stack.compose("stop", "database")
        until(lambda: todo.readiness() == {503}, 20)
        assert todo.connections("in use") != []
        time.sleep(max(0, OUTAGE - (time.monotonic() - began)))
        todo.stack.compose("start", "database")
        until(lambda: todo.readiness() == {200}, 60)
        back, answered = time.monotonic(), len(load.answers)
        until(lambda: len(load.answers) > answered + 10 * VISITORS, 60)
    assert load.broken == []
    assert {answer.status for answer in load.failed} == {503}
    assert all(answer.retry_after for answer in load.failed)
    errors = todo.errors()
    logged = Counter(line.get("request_id", "") for line in errors)
    assert [answer for answer in load.failed if logged[answer.request_id] != 1] == []
    good = {answer.request_id for answer in load.answers if answer.status < 400}
    assert [line for line in errors if line.get("request_id") in good] == []
    # What the service said it had stored is there.
    rows = todo.sql("SELECT title FROM tasks WHERE title LIKE 'outage %'")
    assert load.written() <= {title for [title] in rows}
    # No connection is lost, and no instance was restarted.
    until(lambda: todo.connections("in use") == [0.0] * INSTANCES)
    assert [one.inspected["RestartCount"] for one in todo.instances()] == [0] * INSTANCES
    assert [one.inspected["State"]["StartedAt"] for one in todo.instances()] == before
    print(
        f"outage: {len(load.answers)} requests, {len(load.failed)} failed,"
        f" {load.slowest:.1f} s the slowest, ready after {back - began:.1f} s"
    )


def test_migration_under_load(todo: Todo) -> None:
    """A new version with a migration replaces the old one, and no request fails."""
    versions = todo.stack.project / "todo/migrations/versions"
    [[newest]] = todo.sql("SELECT version_num FROM alembic_version")
    (versions / "0099_note.py").write_text(NEW_MIGRATION.format(newest=newest))
    with todo.load("migration") as load:
        assert make_up(todo.stack).count(UPGRADE) == 1
        answered = len(load.answers)
        until(lambda: len(load.answers) > answered + 10 * VISITORS, 60)
    assert (load.failed, load.broken) == ([], [])
    assert UPGRADE not in todo.stack.compose("logs", "app", "migrate")
    assert todo.sql("SELECT version_num FROM alembic_version") == [["0099"]]
    assert todo.sql("SELECT COUNT(*) FROM tasks WHERE note IS NOT NULL") == [["0"]]
    rows = todo.sql("SELECT title FROM tasks WHERE title LIKE 'migration %'")
    assert load.written() == {title for [title] in rows}
    print(f"migration: {len(load.answers)} requests, {load.slowest:.1f} s the slowest")


def test_backup(todo: Todo) -> None:
    """What `make backup` writes, `make restore` brings back."""
    everything = "SELECT id, title, description, due_date, created_at FROM tasks ORDER BY id"
    before = todo.sql(everything)
    backup = todo.stack("make", "-s", "backup")
    todo.sql("DELETE FROM tasks")
    words = ("make", "-s", "restore")
    done = run(*words, cwd=todo.stack.project, env=todo.stack.environment, typed=backup)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert todo.sql(everything) == before
    assert len(before) > 100
    assert any("😀" in row[1] for row in before)
    assert f"{todo.stack.url}: " in todo.stack("make", "-s", "smoke")


def test_passwords_are_in_no_line(todo: Todo) -> None:
    """No container logs a password, and every line of the service and its migrations is JSON."""
    for service in ("app", "caddy", "migrate"):
        assert all(line["message"] and line["level"] for line in todo.stack.log(service))
    for container in todo.stack.compose("ps", "--all", "--quiet").split():
        lines = "\n".join(Container(container).log())
        assert not any(password in lines for password in passwords(todo))
