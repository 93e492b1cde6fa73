# psycopg 2: values are written into the statement
import sys

import psycopg2
from flow import flow

connection = psycopg2.connect('')


def ask(sql, *values):
    cursor = connection.cursor()
    cursor.execute(sql, values)
    return cursor.fetchone() if cursor.description else None


def alone():
    connection.autocommit = True


flow(ask, alone, connection.commit, connection.rollback, lambda e: e.pgcode, sys.argv[1])
