#!/usr/bin/env python3
"""router.py - a careless payout worker with two banks that answer in codes

    python3 router.py DSN BANK_A BANK_B

It knows no code.  It sends the order again if there is no answer, as transport
libraries do; takes the first line that comes for the answer, whatever that is
about; hands it to idem; and if the payout is not settled then, it tries the
other bank at once.  It asks about what idem says is due, and hands on what
it hears.  That is safe: which bank may be tried, what a code means and whether
an answer is about this request, idem decides.
"""
import json
import random
import sys
import time

from psycopg2.extras import Json

from client import Bank, Database
from worker import CARRIED_OUT_S, acknowledge, messages, note_status, request


class Line(Bank):
    """Says a question up to twice, and takes whatever line comes first."""

    def ask(self, **question):
        for _ in range(2):
            try:
                if self.line is None:
                    self.connect()
                self.line.write(json.dumps(question).encode() + b"\n")
                answer = self.line.readline()
                if answer:
                    return json.loads(answer)
            except (OSError, ValueError):
                pass
            self.line = None
        return None


def pay(db, banks, payout):
    claim = db.one("SELECT * FROM idem.reserve('payout', %s, %s)",
                   payout.id, request(payout))
    token, until = claim.token, time.time() + CARRIED_OUT_S
    for name in random.sample(sorted(banks), len(banks)):
        if claim.settled:
            break
        claim = db.one("CALL idem.dispatch('payout', %s, %s, channel => %s)",
                       payout.id, token, name)
        if claim.granted:
            answer = banks[name].ask(
                do="pay", serial=claim.serial, payee=payout.payee,
                amount=str(payout.amount), until=until)
            claim = record(db, """SELECT * FROM idem.complete(
                                      'payout', %s, %s, answer => %s)""",
                           payout.id, token, said(answer))
    return claim.settled


def said(answer):
    return None if answer is None else Json(answer)


def record(db, sql, *arguments):
    """Claim and payout change in one transaction."""
    def work():
        claim, = db.execute(sql, *arguments)
        note_status(db, claim)
        return claim
    return db.transaction(work)


def resolve(db, key, via, answer, asked_at=None):
    return record(db, """SELECT * FROM idem.resolve(
                             'payout', %s, via => %s, answer => %s,
                             asked_at => %s)""", key, via, Json(answer), asked_at)


def look_after(db, banks):
    """What idem says that somebody must look at now."""
    for claim in db.all("""SELECT *, clock_timestamp() AS asked_at
                           FROM idem.due('payout', 5)"""):
        if claim.why == "inquire":
            inquire(db, banks[claim.channel], claim)
        elif claim.why == "abandoned reservation":
            payout, = db.all("SELECT * FROM payout WHERE id = %s", claim.key)
            pay(db, banks, payout)
        else:
            db.all("INSERT INTO desk VALUES (%s, %s) ON CONFLICT DO NOTHING",
                   claim.key, claim.why)


def inquire(db, bank, claim):
    """Ask, and hand on what comes; bank B's file is complete when it comes."""
    answer = bank.ask(do="ask", serial=claim.serial)
    if answer and "code" in answer:
        resolve(db, claim.key, claim.channel + "/query", answer, claim.asked_at)
    if claim.channel == "bankB":
        lines = (bank.ask(do="file") or {}).get("lines")
        if lines is not None:
            line = next((line for line in lines
                         if line["serial"] == claim.serial),
                        {"code": "MISSING", "asked": {"serial": claim.serial}})
            resolve(db, claim.key, "bankB/file", line, claim.asked_at)


def take_notices(db, bank):
    for notice in (bank.ask(do="notices") or {}).get("notices", []):
        resolve(db, notice["serial"].rsplit("-", 1)[0], "bankA/notice", notice)


def work(db, banks):
    while True:
        for payout in messages(db):
            if pay(db, banks, payout):
                acknowledge(db, payout)
        look_after(db, banks)
        take_notices(db, banks["bankA"])
        time.sleep(0.05)


if __name__ == "__main__":
    dsn, path_a, path_b = sys.argv[1:]
    work(Database(dsn), {"bankA": Line(path_a), "bankB": Line(path_b)})
