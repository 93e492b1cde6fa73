# psycopg 3: no prepared statements behind a pooler in transaction mode
import os
import sys

import psycopg
from flow import flow

connection = psycopg.connect('')
if 'POOLED' in os.environ:
    connection.prepare_threshold = None


def ask(sql, *values):
    cursor = connection.execute(sql, values)
    return cursor.fetchone() if cursor.description else None


def alone():
    connection.autocommit = True


flow(ask, alone, connection.commit, connection.rollback, lambda e: e.sqlstate, sys.argv[1])
