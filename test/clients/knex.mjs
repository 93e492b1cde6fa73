// knex.mjs - Knex, the query builder
import { load, server, step } from './steps.mjs';

const knex = load('knex')({ client: 'pg', connection: server, pool: { min: 1, max: 1 } });
const row = { currency: 'EUR', status: 'created' };

await step('insert a decimal', async () => { await knex('payment').insert({ ...row, amount: '12.34' }).returning('id'); });
await step('insert a number', async () => { await knex('payment').insert({ ...row, amount: 5 }); });
await step('save', async () => { await knex('payment').where({ id: 1 }).update({ amount: '12.34', currency: 'EUR', channel_no: 'C1', status: 'created' }); });
await step('update the state', async () => { await knex('payment').where({ id: 1 }).update({ status: 'paying' }); });
await step('update the state again', async () => { await knex('payment').where({ id: 1 }).update({ status: 'paying' }); });
await step('decrement', async () => { await knex('account').where({ id: 1 }).decrement('balance', '1.50'); });
await step('decrement by a number', async () => { await knex('account').where({ id: 1 }).decrement('balance', 1.5); });
await step('refund', async () => { await knex('refund').insert({ payment_id: 1, amount: '2.34' }); });
await step('upsert', async () => { await knex('payment').insert({ ...row, id: 1, amount: '12.34', channel_no: 'C2' }).onConflict('id').merge(['channel_no']); });
await step('sum', async () => (await knex('payment').sum('amount'))[0]);
await knex.destroy();
