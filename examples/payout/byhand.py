#!/usr/bin/env python3
"""byhand.py - a payout worker that maps codes by hand, to see what it costs

    python3 byhand.py DSN BANK_A BANK_B

The mapping is the one that is found in applications: what begins like a
success is one, a serial that was used must be ours, whatever is not known has
failed.  If one bank has failed, or does not answer, the other one is tried.
"""
import sys
import time

from client import Database
from router import Line
from worker import acknowledge, messages

MAPPING = {"0000": "succeeded", "0010": "succeeded", "ACK": "succeeded",
           "3001": "succeeded", "DUP": "succeeded"}


def pay(db, banks, payout):
    row, = db.execute("SELECT * FROM payout WHERE id = %s FOR UPDATE", payout.id)
    if row.status != "open":
        return True
    status = "failed"
    for name in sorted(banks):
        answer = banks[name].ask(
            do="pay", serial=f"{row.id}-{name}", payee=row.payee,
            amount=str(row.amount), until=time.time() + 2)
        status = MAPPING.get((answer or {}).get("code"), "failed")
        if status == "succeeded":
            break
    db.execute("UPDATE payout SET status = %s WHERE id = %s", status, row.id)
    return True


def work(db, banks):
    while True:
        for payout in messages(db):
            if db.transaction(lambda: pay(db, banks, payout)):
                acknowledge(db, payout)
        time.sleep(0.05)


if __name__ == "__main__":
    dsn, path_a, path_b = sys.argv[1:]
    work(Database(dsn), {"bankA": Line(path_a), "bankB": Line(path_b)})
