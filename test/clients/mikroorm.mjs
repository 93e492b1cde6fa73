// mikroorm.mjs - MikroORM; amounts are decimal in the entity
import { load, step, server } from './steps.mjs';

const { EntitySchema, raw } = load('@mikro-orm/core');
const { MikroORM } = load('@mikro-orm/postgresql');
const Payment = new EntitySchema({
	name: 'Payment', tableName: 'payment',
	properties: { id: { type: 'bigint', primary: true, autoincrement: true }, amount: { type: 'decimal' }, currency: { type: 'text' },
		channel_no: { type: 'text', nullable: true, fieldName: 'channel_no' }, status: { type: 'text' } }
});
const Account = new EntitySchema({
	name: 'Account', tableName: 'account',
	properties: { id: { type: 'bigint', primary: true }, balance: { type: 'decimal' } }
});
const orm = await MikroORM.init({ entities: [Payment, Account], host: server.host, port: server.port, user: server.user,
	dbName: server.database, pool: { min: 1, max: 1 }, debug: false });
const fork = () => orm.em.fork();

await step('insert a decimal', async () => { const em = fork(); em.create('Payment', { amount: '12.34', currency: 'EUR', status: 'created' }); await em.flush(); });
await step('insert a number', async () => { const em = fork(); em.create('Payment', { amount: 5, currency: 'EUR', status: 'created' }); await em.flush(); });
await step('save', async () => { const em = fork(); const p = await em.findOneOrFail('Payment', 1); p.channel_no = 'C1'; await em.flush(); });
await step('save, nothing changed', async () => { const em = fork(); const p = await em.findOneOrFail('Payment', 1); p.status = 'created'; await em.flush(); });
await step('update the state', async () => { await fork().nativeUpdate('Payment', { id: 1 }, { status: 'paying' }); });
await step('update the state again', async () => { await fork().nativeUpdate('Payment', { id: 1 }, { status: 'paying' }); });
await step('decrement', async () => { await fork().nativeUpdate('Account', { id: 1 }, { balance: raw('balance - ?', ['1.50']) }); });
await step('decrement by a number', async () => { await fork().nativeUpdate('Account', { id: 1 }, { balance: raw('balance - ?', [1.5]) }); });
await step('upsert', async () => { await fork().upsert('Payment', { id: 1, amount: '12.34', currency: 'EUR', channel_no: 'C3', status: 'paying' }); });
await step('read', async () => (await fork().findOneOrFail('Payment', 1)).amount);
await orm.close();
