# psycopg3_driver.py - psycopg 3, which binds values with the types that it gives them
import os
from decimal import Decimal

import psycopg

from steps import step

connection = psycopg.connect('', autocommit=True)
if 'POOLED' in os.environ:
    connection.prepare_threshold = None
INSERT = "INSERT INTO payment (amount, currency, status) VALUES (%s, 'EUR', 'created')"
DECREMENT = 'UPDATE account SET balance = balance - %s WHERE id = 1'


def run(sql, *values):
    connection.execute(sql, values)


def read(sql):
    return connection.execute(sql).fetchone()[0]


step('insert a Decimal', lambda: run(INSERT, Decimal('12.34')))
step('insert a whole Decimal', lambda: run(INSERT, Decimal('100')))
step('insert a Decimal with an exponent', lambda: run(INSERT, Decimal('1E+3')))
step('insert an int', lambda: run(INSERT, 5))
step('insert an int as text', lambda: run(INSERT, '5'))
step('insert a float', lambda: run(INSERT, 12.34))
step('insert several', lambda: connection.cursor().executemany(INSERT, [(Decimal('1.10'),), (Decimal('2.20'),)]))
step('decrement by a Decimal', lambda: run(DECREMENT, Decimal('1.50')))
step('decrement by an int', lambda: run(DECREMENT, 1))
step('decrement by text', lambda: run(DECREMENT, '1.50'))
step('in a list', lambda: read("SELECT count(*) FROM payment WHERE amount = ANY ('{12.34,5}')"))
step('in a list of Decimal', lambda: connection.execute('SELECT count(*) FROM payment WHERE amount = ANY (%s)', ([Decimal('12.34'), Decimal('5')],)).fetchone()[0])
step('read', lambda: read('SELECT amount FROM payment WHERE id = 1'))


def copy():
    with connection.cursor().copy("COPY payment (amount, currency, status) FROM STDIN") as c:
        c.write_row((Decimal('7.77'), 'EUR', 'created'))


step('copy rows', copy)

# As docs/clients.md says: read as a Decimal
from psycopg.types import TypeInfo  # noqa: E402
from psycopg.types.numeric import NumericLoader  # noqa: E402

info = TypeInfo.fetch(connection, 'money_micro')
connection.adapters.register_loader(info.oid, NumericLoader)
step('adapted: read', lambda: read('SELECT amount FROM payment WHERE id = 1'))
