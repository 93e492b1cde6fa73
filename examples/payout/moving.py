"""moving.py - a server that is replaced by a backup, or by a standby

The storm's server is one day gone for good: what takes its place is a backup
that is started or recovered, or a standby that has not heard everything.  The
database has a site, and so nothing is sent before an operator has adopted it.

What is lost is lost: customers order again what is not there, and cancel again
what they were told is cancelled.  The operator adopts the database, looks
into the bank's book for every payout that may have been sent, and adopts what
the bank has paid and nobody here has heard of.
"""
import os
import shutil
import signal
import subprocess
import time

import psycopg2
from psycopg2.extras import Json

# Nothing that was sent before is carried out after this time (worker.py).
CARRIED_OUT_S = 2.5


class Mover:
    KINDS = ("backup started", "backup recovered", "standby promoted")

    def __init__(self, storm):
        self.storm = storm
        self.server = storm.server
        self.folder = os.path.dirname(self.server.folder)
        self.copy = os.path.join(self.folder, "copy")
        self.moves = 0

    def prepare(self):
        """The database gets its place, and applications are no operators."""
        self.storm.database.all("""
            SET LOCAL synchronous_commit = on;
            CREATE ROLE app LOGIN;
            SELECT idem.grant_runtime('app');
            GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
            SELECT idem.set_site('here')""")

    def configure(self):
        """Before the server is started first."""
        with open(os.path.join(self.folder, "site.conf"), "w") as site:
            site.write("idem.site = 'here'\n")
        with open(os.path.join(self.server.folder, "postgresql.conf"), "a") as conf:
            conf.write(f"include_if_exists '{self.folder}/site.conf'\n")

    def back_up(self):
        """As often as it takes: the server may be killed meanwhile."""
        while True:
            self.storm.keep_server()
            shutil.rmtree(self.copy, ignore_errors=True)
            if subprocess.run(
                    [self.server.program("pg_basebackup"), "-h", self.folder,
                     "-U", "postgres", "-D", self.copy, "-c", "fast",
                     "--no-sync"], stderr=subprocess.DEVNULL).returncode == 0:
                return

    def move(self):
        """One of the accidents, and what follows."""
        kind = self.KINDS[(self.storm.options.seed + self.moves)
                          % len(self.KINDS)]
        self.moves += 1
        self.storm.counts["server replaced: " + kind] += 1
        self.back_up()
        if kind == "standby promoted":
            self.promote()
        else:
            self.blow(1.0)
            self.server.stop()
            if kind == "backup recovered":
                self.write("postgresql.auto.conf", "restore_command = 'false'\n"
                           "recovery_target = 'immediate'\n"
                           "hot_standby = off\n"
                           "recovery_target_action = 'promote'\n")
                self.write("recovery.signal", "")
        self.replace()
        self.blow(0.5)                  # whoever tries to send now
        self.adopt()

    def blow(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.storm.blow()

    def write(self, name, text):
        with open(os.path.join(self.copy, name), "w") as file:
            file.write(text)

    def promote(self):
        """A standby that hears nothing for a moment before."""
        self.write("postgresql.auto.conf", "primary_conninfo = "
                   f"'host={self.folder} user=postgres'\n")
        self.write("standby.signal", "")
        os.chmod(self.copy, 0o700)
        standby = subprocess.Popen(
            [self.server.program("postgres"), "-D", self.copy, "-p", "5433"],
            stdout=self.server.log, stderr=self.server.log,
            start_new_session=True)
        self.blow(1.0)
        self.ask_standby("ALTER SYSTEM SET primary_conninfo = ''")
        self.ask_standby("SELECT pg_reload_conf()")
        self.blow(0.5)
        self.server.stop()
        self.ask_standby("SELECT pg_promote()")
        standby.send_signal(signal.SIGINT)
        standby.wait()

    def ask_standby(self, statement):
        for _ in range(300):
            try:
                line = psycopg2.connect(self.server.dsn + " port=5433")
                line.autocommit = True
                line.cursor().execute(statement)
                line.close()
                return
            except psycopg2.OperationalError:
                time.sleep(0.1)
        raise RuntimeError("the standby does not answer")

    def replace(self):
        shutil.rmtree(self.server.folder)
        os.rename(self.copy, self.server.folder)
        self.storm.keep_server()
        while self.storm.database.all("SELECT pg_is_in_recovery()")[0][0]:
            time.sleep(0.05)

    # -- the operator, and the customers

    def adopt(self):
        storm, ask = self.storm, self.storm.database.all
        storm.stop_and_go(go=True)      # a backup may have been paused
        for payout, order in storm.orders.items():
            storm.database.transaction(lambda: storm.enqueue(payout, *order))
        for payout in sorted(storm.cancelled):
            storm.cancel(payout)
        ask("SELECT idem.adopt_site('the storm', lost => '10 min')")
        self.blow(CARRIED_OUT_S)
        results = {}
        for entry in storm.read_books():
            payout = entry["serial"].rsplit("-", 1)[0]
            if results.get(payout) != "succeeded":
                results[payout] = {"paid": "succeeded",
                                   "rejected": "failed"}[entry["result"]]
        for claim in ask("SELECT key FROM idem.open_claims"
                         " WHERE state IN ('dispatched', 'unknown')"):
            self.resolve(claim.key, results.get(claim.key, "released"))
        for claim in ask("SELECT key FROM idem.reservation WHERE state = 'n'"):
            if results.get(claim.key) == "succeeded":
                ask("""SELECT idem.correct('payout', %s, 'succeeded',
                       'read in the book', '{"by": "book"}')""", claim.key)
        self.adopt_paid([payout for payout in sorted(results)
                         if results[payout] == "succeeded"])
        ask("SELECT idem.adopt_site('the bank was asked', lost => '0')")

    def adopt_paid(self, paid):
        """What the bank has paid and nobody here has heard of is done."""
        database = self.storm.database

        def write():
            """On disk: the server may be killed before it is read."""
            database.execute("SET LOCAL synchronous_commit = on")
            database.execute("""CREATE TABLE IF NOT EXISTS statement
                (payout_id text PRIMARY KEY, payee text, amount text,
                 status text DEFAULT 'paid')""")
            for payout in paid:
                database.execute("""INSERT INTO statement VALUES (%s, %s, %s)
                                    ON CONFLICT DO NOTHING""",
                                 payout, *self.storm.orders[payout])

        database.transaction(write)
        database.all("""CALL idem.adopt_keys('payout', 'statement', key => '{payout_id}',
            request => '{"payee":"payee","amount":"amount"}',
            state => 'status', done => '{paid}')""")

    def resolve(self, payout, outcome):
        """What may have been sent since the move is left to the workers."""
        self.storm.database.all("""
            SELECT idem.resolve('payout', r.key, %s, '{"by": "book"}',
                                '{"by": "book"}', force => 'read in the book')
            FROM idem.reservation r, idem.site s
            WHERE r.key = %s AND r.dispatched_at <= s.stamped_at
                  AND r.state IN ('d', 'u')""", outcome, payout)
