# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of studies and of dead letters, in a real PostgreSQL that speaks TLS and SCRAM; skipped where there is none."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from model_service import announce, images, letters, migrate
from model_service.app import build_pipeline, create_app
from model_service.arrivals import Arrivals, create_arrivals
from model_service.database import Database
from model_service.database import settings as keys_of
from model_service.errors import Refused, TryLater
from model_service.events import Study
from model_service.forget import Folder, forget
from model_service.letters import open_letters, replay
from model_service.local_files import load_finder
from model_service.pseudonyms import Pseudonyms
from model_service.reconcile import Reconciler
from model_service.rescore import newest, rescore
from model_service.settings import Settings
from model_service.store import Listed
from service_fakes import BINARY, MemoryStore, encoded, picture, record, serving
from starlette.testclient import TestClient

USERS = ("xraylab_owner", "risk_assessment", "arrivals", "reconciler", "gallery", "grafana")
REPOSITORY = Path(__file__).resolve().parents[3]
ETAG = "0123456789abcdef"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
LETTER = {**BINARY, "ce-knativeerrordest": "http://risk-assessment", "ce-id": "partition:0/offset:1"}


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*map(str, BINARIES[-1:]), os.environ.get("PATH", "")]))


class PostgreSQL:
    """PostgreSQL on a port of its own, with a certificate that is its own authority."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 25432 + os.getpid() % 4000
        self.data = folder / "data"
        # PostgreSQL never runs as root, and who it runs as must reach its files.
        self.user = {"user": "nobody"} if os.getuid() == 0 else {}
        if self.user:
            shutil.chown(folder, "nobody")
        (folder / "password").write_text("admin-password")
        how = "-U postgres -A scram-sha-256 --no-sync --locale C.UTF-8 -E UTF8"
        self.run(program("initdb"), "-D", self.data, "--pwfile", folder / "password", *how.split())
        how = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext"
        files = ["-keyout", self.data / "server.key", "-out", self.data / "server.crt"]
        self.run("openssl", "req", "-x509", *how.split(), "subjectAltName=DNS:localhost", *files)
        self.authority = (self.data / "server.crt").read_text()
        self.start()

    def run(self, *command: Any) -> None:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=self.folder, **self.user)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=localhost -c ssl=on -c fsync=off -k {self.folder}"
        self.run(program("pg_ctl"), "-D", self.data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        self.run(program("pg_ctl"), "-D", self.data, "-w", "-m", "immediate", "stop")

    def keys(self, folder: Path, user: str, password: str) -> Path:
        folder.mkdir(parents=True)
        given = {
            "host": "localhost",
            "port": str(self.port),
            "user": user,
            "password": password,
            "ca.crt": self.authority,
        }
        given["dbname"] = "postgres" if user == "postgres" else "xraylabdb"
        for name, value in given.items():
            (folder / name).write_text(value)
        return folder


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    if not program("initdb") or not program("openssl"):
        pytest.skip("no PostgreSQL server on this machine (Debian: apt-get install postgresql-15)")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are root's alone
        folder = Path(name)
        running = PostgreSQL(folder)
        running.keys(folder / "admin", "postgres", "admin-password")
        for user in USERS:
            running.keys(folder / "users" / user, user, f"{user}'s \\ password")
        migrate.migrate(folder / "admin", folder / "users")
        yield running
        running.stop()


@pytest.fixture
def folder(server: PostgreSQL) -> Path:
    with psycopg.connect(**keys_of(server.folder / "users" / "xraylab_owner")) as connection:
        connection.execute("truncate studies, dead_letters, reconciliations")
    return server.folder / "users"


@pytest.fixture
def rows(folder: Path) -> Any:
    """Rows of a query by the owner."""

    def ask(query: str = "select * from studies order by study") -> list[dict[str, Any]]:
        with psycopg.connect(**keys_of(folder / "xraylab_owner"), row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute(query).fetchall()

    return ask


@pytest.fixture
def function(folder: Path) -> Iterator[Database]:
    database = Database(folder / "risk_assessment")
    yield database
    database.close()


@pytest.fixture
def reconciler(folder: Path) -> Iterator[Database]:
    database = Database(folder / "reconciler")
    yield database
    database.close()


@pytest.fixture
def pseudonyms(tmp_path: Path) -> Pseudonyms:
    (tmp_path / "key").write_text("k" * 32)
    return Pseudonyms(tmp_path / "key")


@pytest.fixture
def arrive(folder: Path, pseudonyms: Pseudonyms) -> Iterator[TestClient]:
    arrivals = Arrivals(Database(folder / "arrivals"), pseudonyms, ("-processed", "-anonymized"))
    with TestClient(create_arrivals(arrivals)) as client:
        yield client


def recorded(key: str = "a.jpeg", **changes: Any) -> bytes:
    record = {
        "study": f"xray-source/{key}@{ETAG}", "bucket": "xray-source", "key": key, "etag": ETAG,
        "label": "Normal", "risk": 0.25, "model_version": "m1", "processed_key": f"{key}-processed.png",
        "received_at": "2026-11-24T12:00:01.000Z", "recorded_at": "2026-11-24T12:00:02.000Z", "seconds": 0.5,
        "stages": {"look": 0.1}, "outcome": "assessed",
    }  # fmt: skip
    return json.dumps(record | changes).encode()


def save(function: Database, *arguments: Any, **changes: Any) -> None:
    function.save(recorded(*arguments, **changes), "pseudonym")


def announced(key: str = "a.jpeg", **changes: Any) -> dict[str, Any]:
    return record(key, etag=ETAG, eventTime="2026-11-24T12:00:00.000Z", **changes)


def test_migrations_come_once_and_a_killed_run_blocks_nothing(server: PostgreSQL, folder: Path):
    with psycopg.connect(**keys_of(folder / "xraylab_owner")) as connection:
        connection.execute("insert into yoyo_lock (locked, ctime, pid) values (1, now(), 1)")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: migrate.apply_migrations(keys_of(folder / "xraylab_owner")), range(2))) == [
            [],
            [],
        ]
    migrate.migrate(server.folder / "admin", folder)


def test_an_administrator_need_be_no_superuser(server: PostgreSQL, tmp_path: Path):
    with psycopg.connect(**keys_of(server.folder / "admin"), autocommit=True) as connection:
        connection.execute("create role dba login createrole createdb password 'dba'")
    server.keys(tmp_path / "admin", "dba", "dba")
    (tmp_path / "admin" / "dbname").write_text("postgres")
    for user in USERS:
        keys = shutil.copytree(server.folder / "users" / user, tmp_path / "users" / user)
        (keys / "dbname").write_text("elsewhere")
    migrate.migrate(tmp_path / "admin", tmp_path / "users")
    with psycopg.connect(**keys_of(tmp_path / "users" / "grafana")) as connection:
        assert connection.execute("select count(*) from images_uploaded").fetchone() == (0,)


def test_a_dump_is_put_back_as_the_playbook_does(folder: Path, tmp_path: Path, function: Database, rows: Any):
    load = yaml.safe_load((REPOSITORY / "playbooks" / "restore.yml").read_text())[0]["tasks"][3]["vars"]["load"]
    options = re.findall(r"'(--[^']+)'", load)
    assert "--single-transaction" in options
    keys = keys_of(folder / "xraylab_owner")
    names = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user", "PGPASSWORD": "password"}
    environment = {name: keys[key] for name, key in names.items()} | {"PGSSLROOTCERT": keys["sslrootcert"]}
    environment |= {"PGSSLMODE": "verify-full", "PATH": os.environ["PATH"]}
    save(function)
    kept, dump = rows(), str(tmp_path / "results.dump")
    commands = [program("pg_dump"), "--format=custom", f"--file={dump}"], [program("pg_restore"), *options, dump]
    subprocess.run(commands[0], env=environment, check=True)
    save(function, recorded_at="2999-01-01T00:00:01Z")
    save(function, "later.jpeg")
    subprocess.run(commands[1], env=environment, check=True)
    assert rows() == kept
    save(function, "later.jpeg")  # its rights came back, too
    assert len(rows()) == 2


def test_a_changed_password_is_taken_over(server: PostgreSQL, folder: Path, function: Database):
    (folder / "risk_assessment" / "password").write_text("another")
    with pytest.raises(TryLater, match="no connection"):
        save(function)
    migrate.migrate(server.folder / "admin", folder)
    save(function)


def test_no_password_is_in_the_servers_log(server: PostgreSQL):
    log = (server.folder / "log").read_text()
    assert "password'" not in log
    assert "admin-password" not in log


def test_a_recorded_study_is_one_row_however_often_it_is_saved(function: Database, rows: Any):
    for _ in range(3):
        save(function)
    (row,) = rows()
    assert (row["outcome"], row["label"], row["risk"], row["stages"]) == ("assessed", "Normal", 0.25, {"look": 0.1})
    assert row["reasons"] == []


@pytest.fixture
def assess(function: Database, settings: Settings, store: MemoryStore) -> Any:
    """Sends a record to a function that has this database."""
    pipeline = replace(build_pipeline(settings, store), database=function)
    client = TestClient(create_app(pipeline))
    return lambda sent: client.post("/", headers=BINARY, json={"Records": [sent]}).status_code


def test_the_functions_row_says_what_its_record_says(assess: Any, store: MemoryStore, rows: Any):
    store.objects["xray-source", "a.png"] = encoded(picture(), "PNG")
    for _ in range(2):
        assert assess(announced("a.png")) == 204
    (row,) = rows()
    told = json.loads(store.objects["xray-source-processed", "a-processed.png.json"])
    for name in ("study", "outcome", "label", "processed_key", "heatmap_key", "anonymized_key", "model_version"):
        assert row[name] == told[name]
    assert row["received_at"] <= row["assessed_at"] <= row["deidentified_at"] <= row["recorded_at"]


def test_a_study_that_was_recorded_without_a_row_gets_it_when_it_is_announced_again(
    server: PostgreSQL, assess: Any, store: MemoryStore, rows: Any
):
    store.objects["xray-source", "a.png"] = encoded(picture(), "PNG")
    server.stop()
    try:
        assert assess(announced("a.png")) == 503
        assert ("xray-source-processed", "a-processed.png.json") in store.objects
    finally:
        server.start()
    stored = dict(store.objects)
    assert assess(announced("a.png")) == 204
    assert [row["outcome"] for row in rows()] == ["assessed"]
    assert store.objects == stored


@pytest.fixture
def compare(function: Database, settings: Settings, store: MemoryStore) -> Any:
    """Scores again what this database says was assessed last."""
    return lambda count=10: rescore(newest(function, count), store, load_finder(settings), settings.max_pixels)


def test_the_same_model_gives_the_same_risks(assess: Any, compare: Any, store: MemoryStore):
    for seed in range(3):
        store.objects["xray-source", f"{seed}.png"] = encoded(picture(seed=seed), "PNG")
        assert assess(announced(f"{seed}.png")) == 204
    puts = list(store.puts)
    told = compare()
    assert (told["compared"], told["lost"], told["gone"], told["relabelled"]) == (3, 0, 0, 0)
    assert told["drift"] < 1e-4  # a record has four digits
    assert told["recorded_by"] == [told["model_version"]]
    assert store.puts == puts
    assert compare(2)["asked"] == 2


def test_moved_risks_and_studies_that_are_no_longer_scored_are_told(
    compare: Any, settings: Settings, store: MemoryStore, function: Database
):
    finder = load_finder(settings)
    for number, moved in enumerate((0, 0.25)):
        data = store.objects["xray-source", f"{number}.png"] = encoded(picture(seed=number), "PNG")
        finding = finder.find(images.read(data, settings.max_pixels))
        risk = finding.risk - moved if finding.risk > 0.5 else finding.risk + moved
        another = "Unsure" if finding.label == "Normal" else "Normal"
        save(function, f"{number}.png", risk=risk, label=another if moved else finding.label)
    store.objects["xray-source", "broken.png"] = b"no image"
    save(function, "broken.png")
    save(function, "gone.png")
    told = compare()
    assert (told["asked"], told["compared"], told["lost"], told["gone"], told["relabelled"]) == (4, 2, 1, 1, 1)
    assert told["drift"] == pytest.approx(0.125, abs=1e-4)
    assert told["largest"] == pytest.approx(0.25, abs=1e-4)
    assert told["recorded_by"] == ["m1"]
    assert "png" not in json.dumps(told)


def test_no_study_has_no_drift(compare: Any):
    assert compare() == {
        "asked": 0, "compared": 0, "gone": 0, "lost": 0, "relabelled": 0, "drift": 0.0, "largest": 0.0,
        "model_version": compare()["model_version"], "recorded_by": [],
    }  # fmt: skip


def test_what_was_told_on_arrival_stays(arrive: TestClient, function: Database, rows: Any):
    assert arrive.post("/", headers=BINARY, json={"Records": [announced()]}).status_code == 204
    save(function, received_at="2999-01-01T00:00:00Z", recorded_at="2999-01-01T00:00:01Z")
    (row,) = rows()
    assert row["received_at"] < datetime.now(UTC)
    assert row["announced_at"] == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert row["bytes"] == 1
    assert row["outcome"] == "assessed"


def test_an_announcement_after_the_result_changes_no_outcome(arrive: TestClient, function: Database, rows: Any):
    save(function)
    arrive.post("/", headers=BINARY, json={"Records": [announced()]})
    (row,) = rows()
    assert (row["outcome"], row["bytes"]) == ("assessed", 1)
    assert row["received_at"] == datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC)


def test_every_record_of_an_event_is_counted_and_none_twice(arrive: TestClient, rows: Any):
    keys = ["a.jpeg", "ward 3/ü 'b\".png", "c;drop table studies;--.dcm"]
    for _ in range(2):
        arrive.post("/", headers=BINARY, json={"Records": [announced(key) for key in keys]})
    assert sorted(row["key"] for row in rows()) == sorted(keys)
    assert [row for row in rows() if row["outcome"]] == []


def test_many_at_once_are_counted_once_each(arrive: TestClient, rows: Any):
    def send(number: int) -> int:
        return arrive.post("/", headers=BINARY, json={"Records": [announced(f"{number % 20}.jpeg")]}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(100))) == {204}
    assert len(rows()) == 20


IGNORED = {
    "a removal": announced(eventName="ObjectRemoved:Delete"),
    "a bucket of results": announced(s3={"bucket": {"name": "x-processed"}, "object": {"key": "k", "eTag": "e"}}),
    "no eTag": announced(s3={"bucket": {"name": "x"}, "object": {"key": "k"}}),
    "no object": {"eventName": "ObjectCreated:Put"},
    "a NUL": announced("a\0b"),
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_announces_no_study_is_not_counted(arrive: TestClient, rows: Any, case: str):
    assert arrive.post("/", headers=BINARY, json={"Records": [IGNORED[case]]}).status_code == 204
    assert rows() == []


def letter_headers(code: int | None = 422, answer: Any = None, **more: str) -> dict[str, str]:
    data = base64.b64encode(json.dumps(answer or {"error": "No image.", "records": []}).encode()[:1024]).decode()
    return {**LETTER, "content-type": "application/json", **more} | (
        {} if code is None else {"ce-knativeerrorcode": str(code), "ce-knativeerrordata": data}
    )


def test_a_study_that_can_never_be_read_failed_for_this_reason(arrive: TestClient, rows: Any):
    arrive.post("/", headers=BINARY, json={"Records": [announced()]})
    arrive.post("/", headers=letter_headers(), json={"Records": [announced()]})
    (row,) = rows()
    assert (row["outcome"], row["reasons"]) == ("failed", ["No image."])
    (letter,) = rows("select * from dead_letters")
    assert (letter["study"], letter["code"], letter["times"]) == (row["study"], 422, 1)
    assert json.loads(letter["event"]["data"])["Records"][0]["s3"]["object"]["key"] == "a.jpeg"


def test_a_study_that_ran_out_of_retries_stays_unfinished_and_says_why(arrive: TestClient, rows: Any):
    arrive.post("/", headers=letter_headers(503, {"error": "The store is down."}), json={"Records": [announced()]})
    (row,) = rows()
    assert (row["outcome"], row["reasons"], row["recorded_at"]) == (None, ["The store is down."], None)
    arrive.post("/", headers=letter_headers(None), json={"Records": [announced()]})
    assert rows()[0]["reasons"] == ["The function did not answer."]


def test_an_assessed_study_does_not_fail_by_a_late_letter(
    arrive: TestClient, function: Database, reconciler: Database, rows: Any
):
    save(function)
    arrive.post("/", headers=letter_headers(), json={"Records": [announced()]})
    assert rows()[0]["outcome"] == "assessed"
    assert open_letters(reconciler) == []


def test_of_many_records_only_those_at_fault_fail(arrive: TestClient, rows: Any):
    answer = {
        "error": "No image.",
        "records": [{"outcome": "assessed", "error": ""}, {"outcome": "refused", "error": "No."}],
    }
    both = [announced("a.jpeg"), announced("b.jpeg")]
    arrive.post("/", headers=letter_headers(422, answer), json={"Records": both})
    assert [(row["key"], row["reasons"]) for row in rows()] == [("b.jpeg", ["No."])]
    assert len(rows("select * from dead_letters")) == 1


def test_the_same_letter_counts_once_and_a_later_one_again(arrive: TestClient, rows: Any):
    for id in ("1", "1", "2"):
        arrive.post("/", headers=letter_headers(**{"ce-id": id}), json={"Records": [announced()]})
    (letter,) = rows("select * from dead_letters")
    assert letter["times"] == 2
    assert letter["first_at"] < letter["last_at"]


@pytest.mark.parametrize("body", [b"no JSON", b"\xff\x00", b"", b'{"Records": 1}'])
def test_an_event_that_names_no_study_is_kept_as_it_came(arrive: TestClient, rows: Any, body: bytes):
    assert arrive.post("/", headers=letter_headers(), content=body).status_code == 204
    (letter,) = rows("select * from dead_letters")
    assert (letter["study"], letter["reason"]) == (None, "No image.")
    assert letters.body_of(letter["event"]) == body


def test_a_reason_that_was_cut_off_is_still_told(arrive: TestClient, rows: Any):
    answer = {"error": 'No "image".', "records": [{"error": "x" * 2000}]}
    arrive.post("/", headers=letter_headers(422, answer), json={"Records": [announced()]})
    assert rows()[0]["reasons"] == ['No "image".']


def test_a_replayed_letter_goes_to_the_topic_as_it_came(arrive: TestClient, reconciler: Database, function: Database):
    for key in ("a.jpeg", "b.jpeg"):
        arrive.post("/", headers=letter_headers(**{"ce-id": key}), json={"Records": [announced(key)]})
    with serving() as sink:
        replay(reconciler, sink.url, open_letters(reconciler)[:1])
        ((method, _path, headers, body),) = sink.asked
    assert method == "POST"
    assert not [name for name in headers if "knativeerror" in name]
    assert json.loads(body)["Records"] == [announced("a.jpeg")]
    assert [row["study"] for row in open_letters(reconciler)] == [f"xray-source/b.jpeg@{ETAG}"]
    assert len(open_letters(reconciler, replayed=True)) == 2
    save(function, "a.jpeg")
    save(function, "b.jpeg")
    assert open_letters(reconciler, replayed=True) == []


def test_a_letter_is_not_marked_when_the_sink_does_not_take_it(arrive: TestClient, reconciler: Database):
    arrive.post("/", headers=letter_headers(), json={"Records": [announced()]})
    with serving() as sink:
        sink.status = 503
        with pytest.raises(TryLater, match="answered 503"):
            replay(reconciler, sink.url, open_letters(reconciler))
    assert len(open_letters(reconciler)) == 1


class Bucket:
    """A listing in pages of two."""

    def __init__(self, *keys: str, age: float = 3600) -> None:
        modified = datetime.now(UTC) - timedelta(seconds=age)
        self.items = [Listed(key, ETAG, 7, modified) for key in keys]

    def pages(self, bucket: str) -> Iterator[list[Listed]]:
        for start in range(0, len(self.items), 2):
            yield self.items[start : start + 2]


@pytest.fixture
def reconcile(reconciler: Database, pseudonyms: Pseudonyms) -> Any:
    """Runs it on a bucket; returns what was announced and the run's counts."""

    def run(bucket: Bucket, most: int = 100, grace: float = 600) -> tuple[list[str], Reconciler]:
        with serving() as sink:
            work = Reconciler(bucket, reconciler, pseudonyms, sink.url, timedelta(seconds=grace), most)
            work.run("xray-source")
            bodies = [json.loads(body)["Records"][0] for _method, _path, _headers, body in sink.asked]
        return [found["s3"]["object"]["key"] for found in bodies], work

    return run


def test_what_has_no_result_is_announced_again_and_what_has_is_not(reconcile: Any, function: Database, rows: Any):
    save(function, "done.jpeg")
    sent, work = reconcile(Bucket("done.jpeg", "a.jpeg", "b ü.jpeg"))
    assert sorted(sent) == ["a.jpeg", "b ü.jpeg"]
    assert (work.listed, work.missing, work.reannounced) == (3, 2, 2)
    assert {row["key"]: row["reannounced"] for row in rows()} == {"done.jpeg": 0, "a.jpeg": 1, "b ü.jpeg": 1}
    (noted,) = rows("select * from reconciliations")
    assert (noted["listed"], noted["missing"], noted["reannounced"]) == (3, 2, 2)


def test_a_second_run_waits_before_it_announces_again(reconcile: Any):
    reconcile(Bucket("a.jpeg"))
    sent, work = reconcile(Bucket("a.jpeg"))
    assert (sent, work.missing) == ([], 1)


def test_one_that_was_just_received_is_left_to_the_function(reconcile: Any, arrive: TestClient):
    arrive.post("/", headers=BINARY, json={"Records": [announced()]})
    sent, work = reconcile(Bucket("a.jpeg"))
    assert (sent, work.missing) == ([], 1)
    assert reconcile(Bucket("a.jpeg"), grace=0)[0] == ["a.jpeg"]


def test_a_study_whose_object_is_gone_is_announced_again_too(reconcile: Any, arrive: TestClient, rows: Any):
    arrive.post("/", headers=BINARY, json={"Records": [announced("gone.jpeg")]})
    assert reconcile(Bucket())[1].missing == 0  # within the grace time
    sent, work = reconcile(Bucket(), grace=0)
    assert (sent, work.missing) == (["gone.jpeg"], 1)
    assert [row["reannounced"] for row in rows()] == [1]


def test_an_object_that_is_young_is_no_concern(reconcile: Any):
    assert reconcile(Bucket("a.jpeg", age=10))[1].missing == 0


def test_an_object_that_was_overwritten_is_another_study(reconcile: Any, function: Database):
    save(function, "a.jpeg", etag="older", study="xray-source/a.jpeg@older")
    assert reconcile(Bucket("a.jpeg"))[0] == ["a.jpeg"]


def test_one_run_announces_no_more_than_it_may(reconcile: Any):
    sent, work = reconcile(Bucket("a", "b", "c"), most=2)
    assert (len(sent), work.missing) == (2, 3)


def test_a_failed_study_is_not_announced_again(reconcile: Any, arrive: TestClient):
    arrive.post("/", headers=letter_headers(), json={"Records": [announced()]})
    assert reconcile(Bucket("a.jpeg"), grace=0)[1].missing == 0


class Buckets(MemoryStore):
    """Objects that can be listed and removed."""

    def pages(self, bucket: str, prefix: str = "") -> Iterator[list[Listed]]:
        found = sorted(key for there, key in self.objects if there == bucket and key.startswith(prefix))
        yield [Listed(key, ETAG, 7, datetime.now(UTC)) for key in found]

    def remove(self, bucket: str, key: str) -> None:
        self.objects.pop((bucket, key), None)


@pytest.fixture
def owner(folder: Path) -> Iterator[Database]:
    database = Database(folder / "xraylab_owner")
    yield database
    database.close()


TRIALS = Folder("xray-source", "validate/", "xray-source-processed", "xray-source-anonymized")


def made(key: str) -> dict[str, str]:
    name = key.replace("/", "-")
    return {"processed_key": f"{name}.png", "heatmap_key": f"{name}-heat.png", "anonymized_key": f"{name}-copy.png"}


def objects_of(key: str) -> dict[tuple[str, str], bytes]:
    processed, heatmap, copy = made(key).values()
    names = [("", key), ("-processed", processed), ("-processed", f"{processed}.json"), ("-processed", heatmap)]
    return {(f"xray-source{suffix}", name): b"" for suffix, name in [*names, ("-anonymized", copy)]}


def test_a_forgotten_folder_leaves_nothing_and_all_else_stays(arrive: TestClient, owner: Database, rows: Any):
    kept, gone = ["a.jpeg", "validated/a.jpeg"], ["validate/a.jpeg", "validate/b c.dcm"]
    for key in kept + gone:
        arrive.post("/", headers=BINARY, json={"Records": [announced(key)]})
        owner.save(recorded(key, **made(key)), "pseudonym")
        arrive.post("/", headers=letter_headers(), json={"Records": [announced(key)]})
    store = Buckets({place: data for key in kept + gone for place, data in objects_of(key).items()})
    assert forget(store, owner, TRIALS, 0) == {"objects": 10, "rows": 2, "dead_letters": 2}
    assert store.objects == {place: b"" for key in kept for place in objects_of(key)}
    assert [row["key"] for row in rows()] == kept
    assert [letter["study"] for letter in rows("select study from dead_letters order by 1")] == [
        f"xray-source/{key}@{ETAG}" for key in kept
    ]


def test_a_study_is_not_forgotten_before_its_arrival_was_counted(arrive: TestClient, owner: Database, rows: Any):
    """Or it would be a new one, without an object."""
    store = Buckets(objects_of("validate/a.jpeg"))
    owner.save(recorded("validate/a.jpeg", **made("validate/a.jpeg")), "pseudonym")
    with ThreadPoolExecutor(1) as pool:
        forgetting = pool.submit(forget, store, owner, TRIALS, 60)
        time.sleep(1)
        assert not forgetting.done()
        arrive.post("/", headers=BINARY, json={"Records": [announced("validate/a.jpeg")]})
        assert forgetting.result(30)["rows"] == 1
    assert rows() == []
    assert store.objects == {}


def test_what_never_arrives_is_forgotten_in_the_end(owner: Database):
    store = Buckets({("xray-source", "validate/a.jpeg"): b""})
    assert forget(store, owner, TRIALS, 0.1) == {"objects": 1, "rows": 0, "dead_letters": 0}
    assert store.objects == {}


@pytest.mark.parametrize("prefix", ["", "/", "ward"])
def test_only_a_folder_can_be_forgotten(prefix: str):
    with pytest.raises(Refused, match="Expected a folder"):
        replace(TRIALS, prefix=prefix)


FORBIDDEN = {
    "risk_assessment": ["delete from studies", "select * from dead_letters", "drop table studies"],
    "arrivals": ["delete from studies", "insert into reconciliations values (now(), 1, 1, 1, 1)", "create table x ()"],
    "reconciler": ["delete from dead_letters", "truncate studies"],
    "gallery": ["select key from studies", "select study from studies", "select * from dead_letters"],
    "grafana": [
        "select key from studies", "select processed_key from studies_shown", "select event from dead_letters",
        "update studies set outcome = null",
    ],
}  # fmt: skip


@pytest.mark.parametrize("user", FORBIDDEN)
def test_a_user_has_no_other_rights(folder: Path, user: str):
    for statement in FORBIDDEN[user]:
        with (
            psycopg.connect(**keys_of(folder / user)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


def test_a_server_that_another_authority_signed_gets_no_password(folder: Path, tmp_path: Path):
    keys = shutil.copytree(folder / "gallery", tmp_path / "keys")
    made = ["-keyout", tmp_path / "key", "-out", keys / "ca.crt"]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=localhost", *made], check=True, capture_output=True
    )
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(**keys_of(keys))


def test_the_views_of_the_original_demo_have_its_columns(folder: Path, function: Database):
    save(function, anonymized_key="p.png", deidentified_at="2026-11-24T12:00:02Z")
    save(function, "r.jpeg", outcome="rejected", label=None, risk=None, reasons=["No frontal chest X-ray."])
    with psycopg.connect(**keys_of(folder / "grafana")) as connection:
        for view, columns, count in (
            ("images_uploaded", ["time", "name"], 2),
            ("images_processed", ["time", "name", "model", "label"], 1),
            ("images_anonymized", ["time", "name"], 1),
        ):
            found = connection.execute(f"select * from {view}")
            assert [column.name for column in found.description] == columns
            assert len(found.fetchall()) == count


def test_a_change_is_told_to_who_listens(folder: Path, arrive: TestClient, function: Database):
    with psycopg.connect(**keys_of(folder / "gallery"), autocommit=True) as connection:
        connection.execute("listen studies")
        arrive.post("/", headers=BINARY, json={"Records": [announced()]})
        for _ in range(2):
            save(function)
        told = list(connection.notifies(timeout=2, stop_after=3))
    assert len(told) == 2  # received, assessed; not a row that stayed as it was
    assert "a.jpeg" not in "".join(note.payload for note in told)


def test_metrics_count_what_the_database_holds(arrive: TestClient, function: Database, reconcile: Any):
    save(function, "done.jpeg")
    arrive.post("/", headers=letter_headers(), json={"Records": [announced("bad.txt")]})
    reconcile(Bucket("lost.jpeg"))
    text = arrive.get("/metrics").text
    for line in (
        'results_studies{outcome="assessed"} 1.0', 'results_studies{outcome="failed"} 1.0',
        'results_studies{outcome="received"} 1.0', 'results_dead_letters{state="open"} 1.0', "results_missing 1.0",
        "results_reannounced 1.0", "results_database_up 1.0", 'arrivals_studies_total{kind="dead_letter"} 1.0',
    ):  # fmt: skip
        assert line in text


def test_each_record_is_counted_once_with_its_times(
    folder: Path, arrive: TestClient, function: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("model_service.arrivals.LOOK_EVERY_SECONDS", 0)
    now = datetime.now(UTC)
    arrive.post("/", headers=BINARY, json={"Records": [announced() | {"eventTime": now.isoformat()}]})
    save(function, "before.jpeg", recorded_at=(now - timedelta(seconds=5)).isoformat())
    save(function, recorded_at=(now + timedelta(seconds=4)).isoformat(), stages={"score": 0.2, "no stage of ours": 1})
    for _ in range(3):
        text = arrive.get("/metrics").text
    for line in (
        'results_recorded_total{label="Normal",model_version="m1",outcome="assessed"} 1.0',
        'results_seconds_bucket{le="3.0"} 0.0', 'results_seconds_bucket{le="5.0"} 1.0',
        'results_stage_seconds_bucket{le="0.25",stage="score"} 1.0',
        'results_stage_seconds_count{stage="announce"} 1.0',
        'results_risk_bucket{le="0.25"} 1.0', 'results_risk_bucket{le="0.2"} 0.0',
    ):  # fmt: skip
        assert line in text
    assert "no stage of ours" not in text


def test_a_record_whose_row_came_late_is_counted_too(arrive: TestClient, function: Database, monkeypatch: Any):
    monkeypatch.setattr("model_service.arrivals.LOOK_EVERY_SECONDS", 0)
    now = datetime.now(UTC) + timedelta(minutes=6)  # recorded while the database was down, seen when it is back
    save(function, "b.jpeg", recorded_at=now.isoformat())
    arrive.get("/metrics")
    save(function, "late.jpeg", recorded_at=(now - timedelta(minutes=5)).isoformat())
    assert "results_seconds_count 2.0" in arrive.get("/metrics").text


def test_the_oldest_waiting_study_has_an_age(arrive: TestClient, monkeypatch: Any):
    monkeypatch.setattr("model_service.arrivals.LOOK_EVERY_SECONDS", 0)
    assert "results_oldest_waiting_seconds 0.0" in arrive.get("/metrics").text
    arrive.post("/", headers=BINARY, json={"Records": [announced()]})
    age = re.search(r"^results_oldest_waiting_seconds (\S+)", arrive.get("/metrics").text, re.MULTILINE)
    assert age
    assert 0 < float(age[1]) < 60


def test_while_the_database_is_down_knative_is_told_to_come_again(
    server: PostgreSQL, arrive: TestClient, function: Database, rows: Any
):
    save(function)
    arrive.post("/", headers=BINARY, json={"Records": [announced("b.jpeg")]})
    server.stop()
    try:
        assert arrive.post("/", headers=BINARY, json={"Records": [announced("c.jpeg")]}).status_code == 503
        with pytest.raises(TryLater):
            save(function, "c.jpeg")
        begin = time.monotonic()
        assert "results_database_up 0.0" in arrive.get("/metrics").text
        assert time.monotonic() - begin < 4  # a scrape each five seconds must not time out
    finally:
        server.start()
    assert arrive.post("/", headers=BINARY, json={"Records": [announced("c.jpeg")]}).status_code == 204
    save(function, "c.jpeg")
    assert [row["key"] for row in rows()] == ["a.jpeg", "b.jpeg", "c.jpeg"]


def test_an_s3_event_of_ours_reads_as_the_stores_own():
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    (made,) = json.loads(announce.s3_event(Study("xray-source", "a b.jpeg", ETAG), 7, moment))["Records"]
    assert made["s3"]["object"] == {"key": "a b.jpeg", "size": 7, "eTag": ETAG, "versionId": ""}
    assert made["eventTime"] == "2026-11-24T12:00:00.000Z"
