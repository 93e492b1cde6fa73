// drizzle.mjs - Drizzle; amounts are numeric in the schema
import { load, server, step } from './steps.mjs';

const { drizzle } = load('drizzle-orm/node-postgres');
const { eq, gt, sql, sum } = load('drizzle-orm');
const { bigint, numeric, pgTable, text } = load('drizzle-orm/pg-core');
const { Pool } = load('pg');
const payment = pgTable('payment', {
	id: bigint('id', { mode: 'number' }).generatedByDefaultAsIdentity().primaryKey(),
	amount: numeric('amount').notNull(), currency: text('currency').notNull(), channelNo: text('channel_no'), status: text('status').notNull()
});
const account = pgTable('account', { id: bigint('id', { mode: 'number' }).primaryKey(), balance: numeric('balance').notNull() });
const pool = new Pool({ ...server, max: 1 });
const db = drizzle(pool);
const row = { currency: 'EUR', status: 'created' };

await step('insert a decimal', async () => { await db.insert(payment).values({ ...row, amount: '12.34' }).returning({ id: payment.id }); });
await step('save', async () => { await db.update(payment).set({ ...row, amount: '12.34', channelNo: 'C1' }).where(eq(payment.id, 1)); });
await step('update the state', async () => { await db.update(payment).set({ status: 'paying' }).where(eq(payment.id, 1)); });
await step('update the state again', async () => { await db.update(payment).set({ status: 'paying' }).where(eq(payment.id, 1)); });
await step('decrement', async () => { await db.update(account).set({ balance: sql`${account.balance} - ${'1.50'}` }).where(eq(account.id, 1)); });
await step('decrement by a number', async () => { await db.update(account).set({ balance: sql`${account.balance} - ${1.5}` }).where(eq(account.id, 1)); });
await step('upsert', async () => { await db.insert(payment).values({ ...row, id: 1, amount: '12.34', channelNo: 'C3' }).onConflictDoUpdate({ target: payment.id, set: { channelNo: 'C3' } }); });
await step('where', async () => (await db.select({ n: sql`count(*)` }).from(payment).where(gt(payment.amount, '10')))[0]);
await step('sum', async () => (await db.select({ s: sum(payment.amount) }).from(payment))[0]);
await pool.end();
