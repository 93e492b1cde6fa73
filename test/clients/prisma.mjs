// prisma.mjs - Prisma 7 with its driver adapter; amounts are Decimal
//
// The client is generated into a temporary folder from the schema below.
// money_micro has no type of its own in Prisma: "Decimal" is declared by hand.
// What brings tables up to date is a program that Prisma would download; it is
// not needed here, and another one is named in its place.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { load, step, url } from './steps.mjs';

const modules = path.join(process.env.CLIENTS_NODE, 'node_modules');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'prisma-'));
fs.symlinkSync(modules, path.join(folder, 'node_modules'));
fs.writeFileSync(path.join(folder, 'schema.prisma'), `
generator client {
  provider     = "prisma-client-js"
  output       = "./client"
}
datasource db {
  provider = "postgresql"
}
model payment {
  id         BigInt  @id @default(autoincrement())
  amount     Decimal
  currency   String
  channel_no String?
  status     String
}
model account {
  id      BigInt  @id
  balance Decimal
}
`);
execFileSync(process.execPath, [path.join(modules, 'prisma', 'build', 'index.js'), 'generate', '--schema', 'schema.prisma'],
	{ cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', PRISMA_HIDE_UPDATE_MESSAGE: '1' } });

const { PrismaClient } = load(path.join(folder, 'client'));
const { PrismaPg } = load('@prisma/adapter-pg');
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 1 }) });
const row = { currency: 'EUR', status: 'created' };

await step('insert a decimal', async () => { await prisma.payment.create({ data: { ...row, amount: '12.34' } }); });
await step('insert a number', async () => { await prisma.payment.create({ data: { ...row, amount: 5 } }); });
await step('save', async () => { await prisma.payment.update({ where: { id: 1 }, data: { ...row, amount: '12.34', channel_no: 'C1' } }); });
await step('update the state', async () => { await prisma.payment.update({ where: { id: 1 }, data: { status: 'paying' } }); });
await step('update the state again', async () => { await prisma.payment.update({ where: { id: 1 }, data: { status: 'paying' } }); });
await step('decrement', async () => { await prisma.account.update({ where: { id: 1 }, data: { balance: { decrement: '1.50' } } }); });
await step('decrement by a whole number', async () => { await prisma.account.update({ where: { id: 1 }, data: { balance: { decrement: 1 } } }); });
await step('upsert', async () => { await prisma.payment.upsert({ where: { id: 1 }, create: { ...row, id: 1, amount: '12.34' }, update: { ...row, amount: '12.34', channel_no: 'C3', status: 'paying' } }); });
await step('where', async () => prisma.payment.count({ where: { amount: { gt: 10 } } }));
await step('sum', async () => (await prisma.payment.aggregate({ _sum: { amount: true } }))._sum.amount);
await prisma.$disconnect();
fs.rmSync(folder, { recursive: true });
