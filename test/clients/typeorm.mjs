// typeorm.mjs - TypeORM; amounts are numeric in the entity
import { load, step, server } from './steps.mjs';

load('reflect-metadata');
const { DataSource, EntitySchema } = load('typeorm');
const id = { type: 'bigint', primary: true };
const Payment = new EntitySchema({
	name: 'payment',
	columns: { id: { ...id, generated: true }, amount: { type: 'numeric' }, currency: { type: 'text' },
		channel_no: { type: 'text', nullable: true }, status: { type: 'text' } }
});
const Account = new EntitySchema({ name: 'account', columns: { id, balance: { type: 'numeric' } } });
const source = new DataSource({ type: 'postgres', ...server, username: server.user, entities: [Payment, Account], poolSize: 1 });
let payments, payment;

await source.initialize();
payments = source.getRepository(Payment);
await step('insert a decimal', async () => { payment = await payments.save({ amount: '12.34', currency: 'EUR', status: 'created' }); });
await step('insert a number', async () => { await payments.save({ amount: 5, currency: 'EUR', status: 'created' }); });
await step('save', async () => { payment.channel_no = 'C1'; await payments.save(payment); });
await step('save, nothing changed', async () => { await payments.save(payment); });
await step('update the state', async () => { await payments.update({ id: 1 }, { status: 'paying' }); });
await step('update the state again', async () => { await payments.update({ id: 1 }, { status: 'paying' }); });
await step('decrement', async () => { await source.getRepository(Account).decrement({ id: 1 }, 'balance', 1.5); });
await step('decrement by text', async () => { await source.getRepository(Account).decrement({ id: 1 }, 'balance', '1.50'); });
await step('upsert', async () => { await payments.upsert({ id: 1, amount: '12.34', currency: 'EUR', channel_no: 'C3', status: 'paying' }, ['id']); });
await step('sum', async () => payments.sum('amount', {}));
await step('read', async () => (await payments.findOneBy({ id: 1 })).amount);
await source.destroy();
