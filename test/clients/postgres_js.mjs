// postgres_js.mjs - the driver "postgres" (postgres.js)
import { load, server, step } from './steps.mjs';

const sql = load('postgres')({ ...server, max: 1, fetch_types: false, prepare: !process.env.POOLED, onnotice: () => {} });

await step('insert a decimal, as text', async () => { await sql`INSERT INTO payment (amount, currency, status) VALUES (${'12.34'}, 'EUR', 'created')`; });
await step('insert a decimal, as a number', async () => { await sql`INSERT INTO payment (amount, currency, status) VALUES (${12.34}, 'EUR', 'created')`; });
await step('insert an object', async () => { await sql`INSERT INTO payment ${sql({ amount: '100.00', currency: 'EUR', status: 'created' })}`; });
await step('decrement', async () => { await sql`UPDATE account SET balance = balance - ${'1.50'} WHERE id = 1`; });
await step('save', async () => { await sql`UPDATE payment SET ${sql({ amount: '12.34', currency: 'EUR', channel_no: 'C1', status: 'created' })} WHERE id = 1`; });
await step('read', async () => (await sql`SELECT amount FROM payment WHERE id = 1`)[0]);
await sql.end();
