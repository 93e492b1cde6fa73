# asyncpg: a text for an amount needs a cast; no cache of statements behind a pooler in transaction mode
import asyncio
import os
import sys

import asyncpg

AMOUNT = '{"amount":88.00}'


async def main(key):
    pooled = {'statement_cache_size': 0} if 'POOLED' in os.environ else {}
    c = await asyncpg.connect(user='postgres', database='postgres', host=os.environ['PGHOST'], port=int(os.environ['PGPORT']), **pooled)
    async with c.transaction():
        if await c.fetchval("SELECT granted FROM idem.claim('debit', $1, $2)", key, AMOUNT):
            print('granted')
        await c.execute('INSERT INTO debit VALUES ($1, $2::text::money_micro)', key, '88.00')
    if await c.fetchval("SELECT settled FROM idem.claim('debit', $1, $2)", key, AMOUNT):
        print('settled')
    try:
        await c.execute('INSERT INTO debit VALUES ($1, $2::text::money_micro)', key, '88.00')
    except asyncpg.PostgresError as e:
        print('refused', e.sqlstate)
    token = await c.fetchval("SELECT token FROM idem.reserve('payout', $1, $2)", key, AMOUNT)
    if (await c.fetchrow("CALL idem.dispatch('payout', $1, $2)", key, token))['granted']:
        print('dispatched')
    print('amount', await c.fetchval('SELECT sum(amount)::text FROM debit WHERE message = $1', key))


asyncio.run(main(sys.argv[1]))
