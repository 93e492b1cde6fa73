// sequelize.mjs - Sequelize 6; amounts are DECIMAL in the model
import { load, step, url } from './steps.mjs';

const { DataTypes, Op, Sequelize } = load('sequelize');
const db = new Sequelize(url, { logging: false, pool: { max: 1 } });
const options = { freezeTableName: true, timestamps: false };
const Payment = db.define('payment', {
	id: { type: DataTypes.BIGINT, primaryKey: true, autoIncrement: true },
	amount: DataTypes.DECIMAL(20, 6), currency: DataTypes.TEXT, channel_no: DataTypes.TEXT, status: DataTypes.TEXT
}, options);
const Account = db.define('account', { id: { type: DataTypes.BIGINT, primaryKey: true }, balance: DataTypes.DECIMAL(20, 6) }, options);
let payment;

await step('insert a decimal', async () => { payment = await Payment.create({ amount: '12.34', currency: 'EUR', status: 'created' }); return payment.id; });
await step('insert a number', async () => { await Payment.create({ amount: 5, currency: 'EUR', status: 'created' }); });
await step('save', async () => { payment.channel_no = 'C1'; await payment.save(); });
await step('save, nothing changed', async () => { await payment.save(); });
await step('save all fields', async () => { payment.channel_no = 'C2'; await payment.save({ fields: ['amount', 'currency', 'channel_no', 'status'] }); payment.changed('status', true); await payment.save(); });
await step('update the state', async () => { await Payment.update({ status: 'paying' }, { where: { id: 1 } }); });
await step('update the state again', async () => { await Payment.update({ status: 'paying' }, { where: { id: 1 } }); });
await step('decrement', async () => { await (await Account.findByPk(1)).decrement('balance', { by: 1.5 }); });
await step('decrement by text', async () => { await (await Account.findByPk(1)).decrement('balance', { by: '1.50' }); });
await step('upsert', async () => { await Payment.upsert({ id: 1, amount: '12.34', currency: 'EUR', channel_no: 'C3', status: 'paying' }); });
await step('where', async () => Payment.count({ where: { amount: { [Op.gt]: 10 } } }));
await step('sum', async () => Payment.sum('amount'));
await step('read', async () => (await Payment.findByPk(1)).amount);
await db.close();
