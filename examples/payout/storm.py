#!/usr/bin/env python3
"""storm.py - payouts under accidents, and who was paid twice or forgotten

    python3 storm.py --bin DIR --dir DIR [--seconds N] [--seed N] ...

Starts a PostgreSQL server, the bank and the workers in the folder --dir, and
then lets happen what happens: workers are killed before, after and in the
middle of any step, or stopped for a while; the server is killed with
everything it had not written, with synchronous_commit on and off; the bank
is killed, and answers as it likes (bank.py).  Customers order payouts and
cancel some.  At the end the accidents stop, and everything must come to rest.

What is right is judged by what the world outside knows: the orders and
cancellations of the customers, the messages that were acknowledged, and the
bank's own book.  Nothing of idem decides it, except that idem.due is asked
who comes up there.

    paid twice     the bank paid two orders of one payout
    paid wrongly   the bank paid what nobody ordered, or what was cancelled
    told wrongly   a status that the bank's book contradicts
    forgotten      a message is acknowledged, or a claim is open, the payout
                   has no end, and it never comes up in idem.due

With --banks two there are two banks, which answer in codes (coded_bank.py),
and careless workers with a router that fails over to the other one at once
(router.py), or workers that map codes by hand (byhand.py).

With --moves N the database has a site, scopes are paused and resumed, and N
times, in turn, the server is replaced by a backup that is started or
recovered, or by a standby that has not heard everything (moving.py).

The seed decides who dies where; the system decides when.  Exit status 1 if
anything of the above was found.
"""
import argparse
import collections
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

import psycopg2

import byhand
import careless
import naive
import router
import worker
from bank import read_book
from client import Bank, Database
from moving import Mover

# A worker is a copy of this process, whatever the default (3.14).
FORK = multiprocessing.get_context("fork")

# So much longer it storms at most until banks have carried out --orders.
BUSY_S = 60

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("ann", "bob", "cho", "dan", "eve")
CLIENTS = {"careful": worker.work, "careless": careless.work,
           "naive": naive.work, "router": router.work, "byhand": byhand.work}


# ----------------------------------------------------------------------
# What is started and killed
# ----------------------------------------------------------------------

class Server:
    """A PostgreSQL server of our own, in a folder."""

    def __init__(self, programs, folder):
        self.programs = programs
        self.folder = os.path.join(folder, "data")
        self.dsn = f"host={folder} dbname=postgres user=postgres"
        self.log = open(os.path.join(folder, "server.log"), "ab")
        self.process = None
        subprocess.run(
            [self.program("initdb"), "-D", self.folder, "-A", "trust",
             "-U", "postgres", "-N", "--locale=C.UTF-8", "--encoding=UTF8"],
            check=True, stdout=subprocess.DEVNULL)
        # Nothing is written before it has to be, so that a kill costs what
        # it can.  The machine does not lose power: fsync is not the point.
        with open(os.path.join(self.folder, "postgresql.conf"), "a") as conf:
            conf.write("listen_addresses = ''\nfsync = off\n"
                       f"unix_socket_directories = '{folder}'\n"
                       "wal_writer_delay = 10s\nmax_connections = 50\n")

    def program(self, name):
        return os.path.join(self.programs, name)

    def start(self, synchronous_commit):
        """Also while a process of the former one still notices its end."""
        self.process = None
        for _ in range(1200):
            if self.process is None or not self.alive():
                self.process = subprocess.Popen(
                    [self.program("postgres"), "-D", self.folder,
                     "-c", f"synchronous_commit={synchronous_commit}"],
                    stdout=self.log, stderr=self.log, start_new_session=True)
            time.sleep(0.05)
            try:
                psycopg2.connect(self.dsn).close()
                return
            except psycopg2.OperationalError:
                pass
        sys.exit("the server does not start, see " + self.log.name)

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.process:
            kill_server(self.process.pid)
            self.process.wait()


def kill_server(postmaster):
    """All of it at once; nobody gets to write anything any more.

    The signals are sent even if others send them too.
    """
    try:
        os.kill(postmaster, signal.SIGSTOP)     # starts nobody any more
        for child in children(postmaster):
            os.kill(child, signal.SIGKILL)
        os.kill(postmaster, signal.SIGKILL)
    except ProcessLookupError:
        pass


def children(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if int(stat.read().rsplit(")", 1)[1].split()[1]) == parent:
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class BankProcess:
    """A bank; one with a name answers in codes of its own."""

    def __init__(self, folder, name=None):
        self.path = os.path.join(folder, f"{name or 'bank'}.socket")
        self.book = os.path.join(folder, f"{name or 'bank'}.book")
        self.name = name
        self.process = None

    def start(self, mood, seed):
        program = "coded_bank.py" if self.name else "bank.py"
        named = [self.name] if self.name else []
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, program),
             self.path, self.book, mood, str(seed)] + named)

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()


class Fate:
    """Where in its work a worker dies, or takes the server with it.

    Wrapped around everything a worker says to database and bank: it may
    happen before, while it waits for the answer, or after.
    """

    def __init__(self, dice, postmaster, deaths):
        self.dice = dice
        self.postmaster = postmaster
        self.deaths = deaths                    # how likely, a step
        self.one_at_a_time = threading.Lock()

    def around(self, speak):
        def spoken(*arguments, **named):
            self.strike()
            if self.dice.random() < self.deaths / 2:
                threading.Timer(self.dice.expovariate(500), self.strike,
                                [1.0]).start()
            result = speak(*arguments, **named)
            self.strike()
            return result
        return spoken

    def strike(self, likely=None):
        with self.one_at_a_time:
            if self.dice.random() >= (likely or self.deaths):
                return
            if self.dice.random() < 0.2:
                kill_server(self.postmaster)
            else:
                os.kill(os.getpid(), signal.SIGKILL)


def be_worker(client, dsn, server, banks, seed, deaths):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    random.seed(seed)
    fate = Fate(random.Random(seed), server.process.pid, deaths)
    database = Database(dsn)
    database.execute = fate.around(database.execute)
    lines = {bank.name: router.Line(bank.path) if bank.name
             else Bank(bank.path) for bank in banks}
    for line in lines.values():
        line.ask = fate.around(line.ask)
    CLIENTS[client](database, lines.get(None, lines))


# ----------------------------------------------------------------------
# The storm
# ----------------------------------------------------------------------

class Storm:
    def __init__(self, options):
        self.options = options
        self.dice = random.Random(options.seed)
        self.server = Server(options.bin, options.dir)
        names = ["bankA", "bankB"] if options.banks == "two" else [None]
        self.banks = [BankProcess(options.dir, name) for name in names]
        self.workers = {}                       # number -> process
        self.stopped = {}                       # number -> until when
        self.counts = collections.Counter()
        self.orders = {}                        # id -> (payee, amount)
        self.cancelled = set()                  # and idem said: fenced
        self.cancelling = set()                 # and idem could not say yet
        self.database = Database(self.server.dsn)
        self.database.connect = self.with_server(self.database.connect)
        self.database.execute = self.with_server(self.database.execute)
        self.mover = Mover(self) if options.moves else None
        self.paused_until = None
        self.failures = 0                       # workers that met an error
        self.calm = False

    # -- the things that run

    def with_server(self, speak):
        """We are no worker: we start the server again when it has gone."""
        def spoken(*arguments):
            if self.keep_server():
                raise psycopg2.InterfaceError("that was another server")
            return speak(*arguments)
        return spoken

    def keep_server(self):
        """True if it had to be started."""
        if self.server.process and self.server.alive():
            return False
        if self.server.process:
            self.counts["server killed, synchronous_commit " + self.commit] += 1
        self.commit = self.dice.choice(("on", "off"))
        self.server.start(self.commit)
        return True

    def keep_banks(self):
        for bank in self.banks:
            if bank.process is None or not bank.alive():
                bank.start("honest" if self.calm else "wild",
                           self.dice.random())

    def keep_workers(self):
        """Those that died are followed by others of the same kind."""
        for number, client in enumerate(self.clients()):
            process = self.workers.get(number)
            if process and process.is_alive():
                continue
            if process:
                self.bury(process)
            deaths = 0 if self.calm else self.options.deaths
            process = FORK.Process(
                target=be_worker, daemon=True,
                args=(client, self.worker_dsn(), self.server, self.banks,
                      self.dice.random(), deaths))
            process.start()
            self.workers[number] = process

    def worker_dsn(self):
        """Where there is an operator, a worker is none."""
        dsn = self.server.dsn
        return dsn.replace("user=postgres", "user=app") if self.mover else dsn

    def bury(self, process):
        """A worker dies by being killed; an error of its own is a fault."""
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self.counts["worker killed"] += 1
        else:
            self.failures += 1

    def clients(self):
        """A worker of each kind asked for in turn, and one who inquires."""
        kinds = self.options.clients.split(",")
        turns = [kinds[i % len(kinds)] for i in range(self.options.workers)]
        asker = "router" if self.options.banks == "two" else "careful"
        return turns if asker in turns or "byhand" in turns else turns + [asker]

    # -- what happens

    def blow(self):
        """Half a tenth of a second of it."""
        self.keep_server()
        self.keep_banks()
        self.keep_workers()
        if self.dice.random() < 0.02:
            self.dice.choice(self.banks).kill()
            self.counts["bank killed"] += 1
        if self.dice.random() < 0.01:
            kill_server(self.server.process.pid)
        if self.dice.random() < 0.05:
            self.pause()
        self.resume()
        if self.mover:
            self.stop_and_go()
        self.order()
        if self.dice.random() < 0.1:
            self.cancel(f"p{self.dice.randint(1, len(self.orders) + 2)}")
        time.sleep(0.05)

    def pause(self):
        number, process = self.dice.choice(list(self.workers.items()))
        if number not in self.stopped and process.is_alive():
            os.kill(process.pid, signal.SIGSTOP)
            self.stopped[number] = time.monotonic() + self.dice.uniform(0, 1.5)
            self.counts["worker stopped for a while"] += 1

    def resume(self, all_of_them=False):
        for number, until in list(self.stopped.items()):
            if all_of_them or time.monotonic() > until:
                del self.stopped[number]
                try:
                    os.kill(self.workers[number].pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass

    def stop_and_go(self, go=False):
        """An operator pauses the scope, and resumes it."""
        now = time.monotonic()
        if self.paused_until is None and not go and self.dice.random() < 0.02:
            self.database.all("SELECT idem.pause('scope', 'payout', reason => 'storm')")
            self.paused_until = now + self.dice.uniform(0, 0.5)
            self.counts["scope paused"] += 1
        elif go or (self.paused_until is not None and now > self.paused_until):
            self.database.all("""SELECT idem.resume(kind, name, reason => 'storm')
                                 FROM idem.pauses""")
            self.paused_until = None

    def order(self):
        """Customers order as long as the queue is short."""
        waiting = self.database.all("SELECT count(*) FROM queue")[0][0]
        if waiting >= self.options.queue:
            return
        payout = f"p{len(self.orders) + 1}"
        order = (self.dice.choice(NAMES), f"{self.dice.randint(1, 99999) / 100:.2f}")
        self.orders[payout] = order
        self.database.transaction(lambda: self.enqueue(payout, *order))

    def enqueue(self, payout, payee, amount):
        """Again after a lost answer: then it is there already."""
        execute = self.database.execute
        execute("SET LOCAL synchronous_commit = on")
        if execute("""INSERT INTO payout VALUES (%s, %s, %s)
                      ON CONFLICT DO NOTHING RETURNING id""",
                   payout, payee, amount):
            execute("INSERT INTO queue VALUES (%s)", payout)

    def cancel(self, payout):
        """A customer who is told "fenced" will never be paid."""
        claim = self.database.one(
            "SELECT * FROM idem.fence('payout', %s, 'the customer changed his mind')",
            payout)
        self.counts["cancellation: " + claim.outcome] += 1
        self.cancelling.discard(payout)
        if claim.outcome == "fenced" and claim.settled:
            self.cancelled.add(payout)
        elif not claim.settled:
            self.cancelling.add(payout)

    def run(self):
        if self.mover:
            self.mover.configure()
        self.keep_server()
        two = self.options.banks == "two"
        with open(os.path.join(HERE, "banks.sql" if two else "payout.sql")) as script:
            # on disk at once: a server killed right after it has its tables
            self.database.all("SET LOCAL synchronous_commit = on;\n"
                              + script.read())
        if "byhand" in self.options.clients:
            self.database.all("""SELECT idem.drop_guard(
                'payout', 'claimed', reason => 'codes are mapped by hand')""")
        if self.mover:
            self.mover.prepare()
        end = time.monotonic() + self.options.seconds
        said = time.monotonic()
        while time.monotonic() < end or self.too_quiet(end):
            self.blow()
            if self.mover and self.mover.moves < self.options.moves and \
                    time.monotonic() > end - self.options.seconds * (
                        1 - (self.mover.moves + 1) / (self.options.moves + 1)):
                before = time.monotonic()
                self.mover.move()
                end += time.monotonic() - before
            if time.monotonic() > said + 60:
                said = time.monotonic()
                print(f"{end - said:.0f} s to go, {len(self.orders)} payouts, "
                      f"{sum(self.counts.values())} accidents", flush=True)
        self.resume(True)
        if self.mover:
            self.stop_and_go(go=True)
        self.stop_workers()

    def too_quiet(self, end):
        """Have banks carried out less than is asked for, as on a busy machine?"""
        if time.monotonic() > end + BUSY_S or not self.options.orders:
            return False
        return not all(os.path.exists(bank.book) for bank in self.banks) or \
            len(self.read_books()) < self.options.orders

    def stop_workers(self):
        for process in self.workers.values():
            process.kill()
            process.join()
        self.workers.clear()
        # one of them may have been about to kill the server
        self.server.process.send_signal(signal.SIGCONT)

    # -- and afterwards

    def watch_due(self, seconds):
        """Who comes up in idem.due within some time."""
        seen = set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen.update(claim.key for claim in self.database.all(
                "SELECT key FROM idem.due('payout', 1000)"))
            time.sleep(0.1)
        return seen

    def settle_down(self):
        """No more accidents: until everything has ended, or time is up."""
        self.calm = True
        for bank in self.banks:
            bank.kill()
        self.database.all("TRUNCATE desk")
        end = time.monotonic() + self.options.patience
        while time.monotonic() < end and self.unfinished():
            self.keep_server()
            self.keep_banks()
            self.keep_workers()
            time.sleep(0.1)
        self.stop_workers()

    def unfinished(self):
        return self.database.one("""
            SELECT (SELECT count(*) FROM queue
                   WHERE payout_id NOT IN (SELECT payout_id FROM desk))
                + (SELECT count(*) FROM idem.open_claims
                   WHERE key NOT IN (SELECT payout_id FROM desk)) AS n""").n

    def ask_again(self):
        """Customers who could not be told yet whether it was in time."""
        for payout in sorted(self.cancelling):
            self.cancel(payout)

    def read_books(self):
        return [entry for bank in self.banks for entry in read_book(bank.book)]

    def close(self):
        self.resume(True)
        self.stop_workers()
        for bank in self.banks:
            if bank.process:
                bank.kill()
        self.server.stop()


# ----------------------------------------------------------------------
# The judgement
# ----------------------------------------------------------------------

class Judge:
    """Compares the customers' orders with the bank's book."""

    def __init__(self, storm):
        self.storm = storm
        self.paid = collections.defaultdict(list)
        self.rejected = set()
        self.faults = collections.defaultdict(set)
        self.returned = set()
        for entry in storm.read_books():
            payout = entry["serial"].rsplit("-", 1)[0]
            if entry["result"] in ("paid", "part"):
                self.paid[payout].append(
                    (entry["payee"], entry.get("ordered", entry["amount"])))
            elif entry["result"] == "returned":
                self.returned.add(payout)
            else:
                self.rejected.add(payout)
        rows = storm.database.all("""
            SELECT id, status, EXISTS (SELECT FROM queue WHERE payout_id = id) AS queued
            FROM payout""")
        self.status = {row.id: row.status for row in rows}
        self.queued = {row.id for row in rows if row.queued}

    def judge_payments(self):
        orders = self.storm.orders
        for payout, payments in self.paid.items():
            if len(payments) > 1:
                self.faults["paid twice"].add(payout)
            if set(payments) != {orders.get(payout)} or \
                    payout in self.storm.cancelled:
                self.faults["paid wrongly"].add(payout)

    def judge_statuses(self):
        for payout, status in self.status.items():
            wrong = {"succeeded": payout not in self.paid,
                     "failed": payout in self.paid or payout not in self.rejected,
                     "fenced": payout in self.paid}
            if wrong.get(status, False):
                self.faults["told wrongly"].add(payout)

    def ended(self, payout):
        """Has the world outside seen an end of it?"""
        return payout in self.paid or payout in self.rejected \
            or payout in self.storm.cancelled

    def judge_memory(self, due):
        """Nobody has it any more: no message, no end, and not due."""
        claims = {row.key for row in self.storm.database.all(
            "SELECT key FROM idem.open_claims")}
        for payout in self.storm.orders:
            acknowledged = payout not in self.queued
            if payout not in due and (payout in claims or
                                      acknowledged and not self.ended(payout)):
                self.faults["forgotten"].add(payout)

    def judge_rest(self):
        """After the storm nothing is left open, unless it lies on a desk."""
        rows = self.storm.database.all("SELECT payout_id, why FROM desk")
        desk = {row.payout_id: row.why for row in rows}
        for payout in self.storm.orders:
            if payout not in desk and (payout in self.queued or
                                       not self.ended(payout)):
                self.faults["forgotten"].add(payout)
        return desk


    def tell(self, payout):
        """What is known of a payout, for whoever has to find out why."""
        known = [payout, f"status {self.status.get(payout)}"]
        for words, group in (("message waiting", self.queued),
                             ("cancelled", self.storm.cancelled),
                             ("rejected", self.rejected)):
            known += [words] * (payout in group)
        known += [f"paid {payments}" for payments in self.paid[payout]]
        return ", ".join(known)


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interrupted"))
    print(f"seed {options.seed}, {options.seconds:.0f} s, "
          f"clients: {options.clients}", flush=True)
    storm = Storm(options)
    try:
        storm.run()
        storm.ask_again()
        due = storm.watch_due(options.watch)
        judge = Judge(storm)
        judge.judge_payments()
        judge.judge_memory(due)
        storm.settle_down()
        storm.ask_again()
        last = Judge(storm)
        last.judge_payments()
        last.judge_statuses()
        desk = last.judge_rest()
        report(storm, last, due, desk)
        faults = {**judge.faults, **last.faults}
        if storm.failures:
            faults["worker failed"] = {f"{storm.failures} times, see above"}
    finally:
        storm.close()
    for fault, payouts in sorted(faults.items()):
        print(f"{fault}: {len(payouts)}")
        for payout in sorted(payouts)[:10]:
            print("   ", last.tell(payout))
    print("nobody was paid twice, nobody was forgotten" if not faults
          else f"seed {options.seed}: the money is not safe")
    sys.exit(1 if faults else 0)


def report(storm, judge, due, desk):
    attempts = len(storm.read_books())
    lines = [("payouts ordered", len(storm.orders)),
             ("  paid", len(judge.paid)),
             ("  paid, and given back", len(judge.returned)),
             ("  rejected", len(judge.rejected - set(judge.paid))),
             ("  cancelled in time", len(storm.cancelled & set(storm.orders))),
             ("  on a desk", len(desk))]
    lines += [(f"    {why}", count) for why, count in
              sorted(collections.Counter(desk.values()).items())]
    lines += [
        ("orders the bank carried out", attempts),
        ("due after the storm", len(due))]
    for name, count in lines + sorted(storm.counts.items()):
        print(f"{name:45} {count:8}")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--bin", required=True, help="folder of initdb and postgres")
    add("--dir", required=True, help="an empty folder, with a short name")
    add("--seconds", type=float, default=60, help="how long it storms")
    add("--orders", type=int, default=0,
        help="and until banks have carried out so many orders")
    add("--seed", type=int, default=random.randrange(10**9))
    add("--banks", choices=("one", "two"), default="one",
        help="two: they answer in codes")
    add("--moves", type=int, default=0,
        help="how often the server is replaced by a backup or a standby")
    add("--clients", default=None,
        help="careful, careless, naive, or several of them; of two banks:"
        " router, byhand")
    add("--workers", type=int, default=4)
    add("--queue", type=int, default=40, help="payouts waiting at most")
    add("--deaths", type=float, default=0.01,
        help="how likely it is to die at a step")
    add("--watch", type=float, default=4,
        help="seconds in which everything that is open has to be due")
    add("--patience", type=float, default=60,
        help="seconds until everything has come to rest")
    options = parser.parse_args()
    if options.clients is None:
        options.clients = "router" if options.banks == "two" \
            else "careful,careless"
    return options


if __name__ == "__main__":
    main()
