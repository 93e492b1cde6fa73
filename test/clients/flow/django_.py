# Django: a transaction is a block
import os
import sys

import django
from django.conf import settings
from flow import AMOUNT

settings.configure(DATABASES={'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'postgres', 'USER': 'postgres',
                                          'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT'],
                                          'DISABLE_SERVER_SIDE_CURSORS': True}})
django.setup()
from django.db import DatabaseError, connection, transaction  # noqa: E402


def ask(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone() if cursor.description else None


key = sys.argv[1]
with transaction.atomic():
    if ask("SELECT granted FROM idem.claim('debit', %s, %s)", key, AMOUNT)[0]:
        print('granted')
    ask('INSERT INTO debit VALUES (%s, %s)', key, '88.00')
if ask("SELECT settled FROM idem.claim('debit', %s, %s)", key, AMOUNT)[0]:
    print('settled')
try:
    with transaction.atomic():
        ask('INSERT INTO debit VALUES (%s, %s)', key, '88.00')
except DatabaseError as e:
    print('refused', e.__cause__.pgcode)
token = ask("SELECT token FROM idem.reserve('payout', %s, %s)", key, AMOUNT)[0]
if ask("CALL idem.dispatch('payout', %s, %s)", key, token)[1]:
    print('dispatched')
print('amount', ask('SELECT sum(amount) FROM debit WHERE message = %s', key)[0])
