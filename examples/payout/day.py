#!/usr/bin/env python3
"""day.py - a day of payouts by the bank of bank.py, of which not all end well

    python3 day.py DSN BANK DAY PAYOUTS

Needs the tables of day_tables.sql.  Eight workers send each payout once, and
tell idem what the bank answered, if it did.  They ask nobody about those of
which they heard nothing: on this day the bank's file has to tell (day.sql).
"""
import sys
import threading
import time

from psycopg2.extras import Json

from client import Bank, Database, NoAnswer
from worker import CARRIED_OUT_S, request


def pay(db, bank, payout):
    db.all("UPDATE payout SET status = 'sent' WHERE id = %s", payout.id)
    claim = db.one("SELECT * FROM idem.reserve('payout', %s, %s)",
                   payout.id, request(payout))
    until = time.time() + CARRIED_OUT_S
    token = claim.token
    claim = db.one("CALL idem.dispatch('payout', %s, %s)", payout.id, token)
    if claim.granted:
        answer = send(bank, payout, claim.serial, until)
        db.transaction(lambda: record(db, payout, token, answer))


def send(bank, payout, serial, until):
    try:
        answer = bank.ask(do="pay", serial=serial, payee=payout.payee,
                          amount=str(payout.amount), until=until)
    except NoAnswer:
        return None
    return Json({"code": answer["result"], **answer})


def record(db, payout, token, answer):
    claim, = db.execute(
        "SELECT * FROM idem.complete('payout', %s, %s, answer => %s)",
        payout.id, token, answer)
    if claim.state in ("succeeded", "failed"):
        db.execute("UPDATE payout SET status = %s WHERE id = %s",
                   claim.state, payout.id)


def work(dsn, path, payouts):
    db, bank = Database(dsn), Bank(path, patience=0.1)
    for payout in payouts:
        pay(db, bank, payout)


def main():
    dsn, path, day, payouts = sys.argv[1:]
    db = Database(dsn)
    db.all("INSERT INTO payout_day VALUES (%s) ON CONFLICT DO NOTHING", day)
    db.all("""INSERT INTO payout (id, payee, amount, day)
              SELECT 'p' || i, 'payee ' || i %% 7, (1 + i * 7919 %% 10000)::numeric / 100, %s
              FROM generate_series(1, %s) i""", day, int(payouts))
    rows = db.all("SELECT * FROM payout WHERE day = %s", day)
    workers = [threading.Thread(target=work, args=(dsn, path, rows[n::8]))
               for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    time.sleep(CARRIED_OUT_S)       # after that the bank carries out nothing


if __name__ == "__main__":
    main()
