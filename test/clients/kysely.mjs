// kysely.mjs - Kysely, the query builder
import { load, server, step } from './steps.mjs';

const { Kysely, PostgresDialect, sql } = load('kysely');
const { Pool } = load('pg');
const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ ...server, max: 1 }) }) });
const row = { currency: 'EUR', status: 'created' };

await step('insert a decimal', async () => { await db.insertInto('payment').values({ ...row, amount: '12.34' }).returning('id').execute(); });
await step('insert a number', async () => { await db.insertInto('payment').values({ ...row, amount: 5 }).execute(); });
await step('save', async () => { await db.updateTable('payment').set({ ...row, amount: '12.34', channel_no: 'C1' }).where('id', '=', 1).execute(); });
await step('decrement', async () => { await db.updateTable('account').set((eb) => ({ balance: eb('balance', '-', '1.50') })).where('id', '=', 1).execute(); });
await step('decrement by a number', async () => { await db.updateTable('account').set((eb) => ({ balance: eb('balance', '-', 1.5) })).where('id', '=', 1).execute(); });
await step('where', async () => (await db.selectFrom('payment').select(sql`count(*)`.as('n')).where('amount', '>', '10').executeTakeFirst()));
await db.destroy();
