#!/usr/bin/env python3
"""worker.py - pays payouts by a bank, each at most once

    python3 worker.py DSN BANK

It may be killed at any point, so may the database, so may the bank; any
number of workers may run at once.  Three things keep the money:

- dispatch is granted once, and is committed before the order leaves.  From
  then on nobody sends it again, unless the bank has said that it never got it.
- Only the bank knows what became of an order.  No answer is no result.
- What was begun and not ended comes up in idem.due, again and again.
"""
import sys
import time
import uuid

from psycopg2.extras import Json

from client import Bank, Database, NoAnswer

# An order is carried out this soon after its dispatch, or never: the order
# says so, and the bank keeps to it.  The scope's quiet interval is longer, with
# room for clocks that differ.
CARRIED_OUT_S = 2.0

RESULT = {"paid": "succeeded", "rejected": "failed",
          "no such transaction": "released"}


def pay(db, bank, payout):
    """Pay this payout, unless it is paid, being paid, or must not be paid.

    True if its message may be acknowledged.
    """
    claim = db.one("SELECT * FROM idem.reserve('payout', %s, %s, %s)",
                   payout.id, request(payout), uuid.uuid4().hex)
    if claim.outcome == "reserved":
        token, until = claim.token, time.time() + CARRIED_OUT_S
        claim = db.one("CALL idem.dispatch('payout', %s, %s)",
                       payout.id, token)
    if claim.granted:
        outcome, answer = send(bank, payout, claim.attempt, until)
        claim = record(db, payout, token, outcome, answer)
    return claim.settled


def request(payout):
    return Json({"payee": payout.payee, "amount": str(payout.amount)})


def serial(payout_id, attempt):
    """What the bank knows an order by: another one for every attempt."""
    return f"{payout_id}-{attempt}"


def send(bank, payout, attempt, until):
    """Send the order, once.  What has become of it, as far as we know."""
    try:
        answer = bank.ask(do="pay", serial=serial(payout.id, attempt),
                          payee=payout.payee, amount=str(payout.amount),
                          until=until)
    except NoAnswer:
        return "unknown", None
    return RESULT[answer["result"]], Json(answer)


def record(db, payout, token, outcome, answer):
    """Claim and payout change in one transaction."""
    def work():
        claim, = db.execute(
            "SELECT * FROM idem.complete('payout', %s, %s, %s, %s)",
            payout.id, token, outcome, answer)
        note_status(db, claim)
        return claim
    return db.transaction(work)


def note_status(db, claim):
    if claim.state in ("succeeded", "failed", "fenced"):
        db.execute("UPDATE payout SET status = %s WHERE id = %s",
                   claim.state, claim.key)


def look_after(db, bank):
    """What idem says that somebody must look at now.  True if there was any."""
    claims = db.all("""SELECT *, clock_timestamp() AS asked_at
                       FROM idem.due('payout', 5)""")
    for claim in claims:
        if claim.why == "inquire":
            inquire(db, bank, claim)
        elif claim.why == "abandoned reservation":
            payout, = db.all("SELECT * FROM payout WHERE id = %s", claim.key)
            pay(db, bank, payout)
        else:
            db.all("INSERT INTO desk VALUES (%s, %s) ON CONFLICT DO NOTHING",
                   claim.key, claim.why)
    return bool(claims)


def inquire(db, bank, claim):
    """Ask the bank what became of an order; without an answer ask later."""
    try:
        answer = bank.ask(do="ask", serial=serial(claim.key, claim.attempt),
                          payee=claim.request["payee"],
                          amount=claim.request["amount"])
    except NoAnswer:
        return
    resolve(db, claim.key, claim.attempt, answer, claim.asked_at)


def resolve(db, key, attempt, answer, asked_at=None):
    """What the bank says about an order, unasked or asked.

    Asked too early for "no such transaction": idem refuses it, however long
    this worker was stopped meanwhile, and due brings the claim again.
    """
    def work():
        claim, = db.execute(
            """SELECT * FROM idem.resolve('payout', %s, %s, %s, attempt => %s,
                                          asked_at => %s)""",
            key, RESULT[answer["result"]], Json(answer), attempt, asked_at)
        note_status(db, claim)
    db.transaction(work)


def take_notices(db, bank):
    """The bank's own messages about orders: late, twice, in any order."""
    try:
        notices = bank.ask(do="notices")["result"]
    except NoAnswer:
        return
    for notice in notices:
        key, attempt = notice["serial"].rsplit("-", 1)
        resolve(db, key, int(attempt), notice)


def messages(db):
    """Some payouts of the queue, which other workers may be given too."""
    return db.all("""SELECT p.* FROM queue q JOIN payout p ON p.id = q.payout_id
                     ORDER BY random() LIMIT 5""")


def acknowledge(db, payout):
    db.all("DELETE FROM queue WHERE payout_id = %s", payout.id)


def work(db, bank, pay=pay):
    while True:
        for payout in messages(db):
            if pay(db, bank, payout):
                acknowledge(db, payout)
        look_after(db, bank)
        take_notices(db, bank)
        time.sleep(0.05)


if __name__ == "__main__":
    dsn, bank_path = sys.argv[1:]
    work(Database(dsn), Bank(bank_path))
