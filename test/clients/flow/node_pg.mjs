// node-postgres
import { createRequire } from 'node:module';
import path from 'node:path';

const { Client } = createRequire(path.join(process.env.CLIENTS_NODE, 'node_modules', 'x.js'))('pg');
const c = new Client({ host: process.env.PGHOST, port: Number(process.env.PGPORT), user: 'postgres', database: 'postgres' });
const ask = async (sql, ...values) => (await c.query(sql, values)).rows[0];
const key = process.argv[2];
const amount = { amount: '88.00' };
await c.connect();
await c.query('BEGIN');
if ((await ask("SELECT granted FROM idem.claim('debit', $1, $2)", key, amount)).granted) console.log('granted');
await ask('INSERT INTO debit VALUES ($1, $2)', key, '88.00');
await c.query('COMMIT');
if ((await ask("SELECT settled FROM idem.claim('debit', $1, $2)", key, amount)).settled) console.log('settled');
try {
	await ask('INSERT INTO debit VALUES ($1, $2)', key, '88.00');
} catch (e) {
	console.log('refused', e.code);
}
const { token } = await ask("SELECT token FROM idem.reserve('payout', $1, $2)", key, amount);
if ((await ask("CALL idem.dispatch('payout', $1, $2)", key, token)).granted) console.log('dispatched');
console.log('amount', (await ask('SELECT sum(amount) FROM debit WHERE message = $1', key)).sum);
await c.end();
