// node_pg.mjs - the driver "pg" as it is
import { load, server, step } from './steps.mjs';

const { Client } = load('pg');
const client = new Client(server);
const q = (sql, values) => client.query(sql, values);
const insert = 'INSERT INTO payment (amount, currency, status) VALUES ($1, $2, $3) RETURNING id';

await client.connect();
await step('insert a decimal, as text', async () => { await q(insert, ['12.34', 'EUR', 'created']); });
await step('insert a decimal, as a number', async () => { await q(insert, [12.34, 'EUR', 'created']); });
await step('insert an integer, as a number', async () => { await q(insert, [5, 'EUR', 'created']); });
await step('insert an integer, as a BigInt', async () => { await q(insert, [5n, 'EUR', 'created']); });
await step('decrement', async () => { await q('UPDATE account SET balance = balance - $1 WHERE id = $2', ['1.50', 1]); });
await step('decrement, by a number', async () => { await q('UPDATE account SET balance = balance - $1 WHERE id = $2', [1.5, 1]); });
await step('read', async () => (await q('SELECT amount, sum(amount) OVER () FROM payment WHERE id = $1', [1])).rows[0]);
await step('read as JSON', async () => (await q('SELECT to_jsonb(amount) AS amount FROM payment WHERE id = $1', [1])).rows[0]);
await client.end();
