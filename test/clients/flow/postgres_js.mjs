// postgres.js: prepare: false behind a pooler in transaction mode
import { createRequire } from 'node:module';
import path from 'node:path';

const postgres = createRequire(path.join(process.env.CLIENTS_NODE, 'node_modules', 'x.js'))('postgres');
const sql = postgres({ host: process.env.PGHOST, port: Number(process.env.PGPORT), user: 'postgres', database: 'postgres', max: 1,
	prepare: !process.env.POOLED });
const key = process.argv[2];
const amount = { amount: '88.00' };
await sql.begin(async (t) => {
	if ((await t`SELECT granted FROM idem.claim('debit', ${key}, ${t.json(amount)})`)[0].granted) console.log('granted');
	await t`INSERT INTO debit VALUES (${key}, ${'88.00'})`;
});
if ((await sql`SELECT settled FROM idem.claim('debit', ${key}, ${sql.json(amount)})`)[0].settled) console.log('settled');
try {
	await sql`INSERT INTO debit VALUES (${key}, ${'88.00'})`;
} catch (e) {
	console.log('refused', e.code);
}
const [{ token }] = await sql`SELECT token FROM idem.reserve('payout', ${key}, ${sql.json(amount)})`;
if ((await sql`CALL idem.dispatch('payout', ${key}, ${token})`)[0].granted) console.log('dispatched');
console.log('amount', (await sql`SELECT sum(amount) FROM debit WHERE message = ${key}`)[0].sum);
await sql.end();
