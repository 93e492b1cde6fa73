// steps.mjs - what the programs in JavaScript share
//
// A step is one thing that an application does; it is named in the record
// before its statements, and an error ends it, not the program.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

// Packages come out of the folder CLIENTS_NODE, not from beside this file
export const load = createRequire(path.join(process.env.CLIENTS_NODE, 'node_modules', 'x.js'));
export const server = { host: '127.0.0.1', port: Number(process.env.PGPORT), user: 'postgres', database: 'postgres' };
export const url = `postgres://postgres@127.0.0.1:${server.port}/postgres`;

const say = (text) => fs.appendFileSync(process.env.CLIENTS_RECORD, `${text}\n`);

export async function step(name, work) {
	say(`-- ${name}`);
	try {
		const result = await work();
		if (result !== undefined)
			say(`--   gives ${JSON.stringify(result)}`);
	} catch (e) {
		say(`--   raises ${e.code ?? e.cause?.code ?? e.meta?.code ?? e.name}`);
	}
}
